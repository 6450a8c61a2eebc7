import { isObject, type Json } from '../bytes/json.ts'
import { parseDuration } from '../bytes/duration.ts'
import { KernelError } from '../error.ts'
import type { Rule } from './document.ts'

// Checked by hand and not by schema: a bundle may hold 100,000 rules, and its install is timed
// against parsing alone (design 7, P3).

type Check = (value: Json, at: string) => void

const ruleId = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/
const maxPatternLength = 2048

const members: Readonly<Record<string, Check>> = {
  id: (value, at) => {
    if (typeof value !== 'string' || !ruleId.test(value)) {
      refuse('a rule id is 1 to 128 of A-Z a-z 0-9 . _ : / - and begins with a letter or digit', at)
    }
  },
  effect: (value, at) => {
    if (value !== 'ALLOW' && value !== 'DENY' && value !== 'ESCALATE') {
      refuse('effect is ALLOW, DENY or ESCALATE', at)
    }
  },
  actions: patterns,
  principals: patterns,
  resources: patterns,
  when: (value, at) => {
    if (!isObject(value)) refuse('when is an object: all, any, not, path or cel', at)
  },
  reason: (value, at) => {
    if (typeof value !== 'string' || value.length === 0 || value.length > 1024) {
      refuse('reason is a text of 1 to 1,024 characters', at)
    }
  },
  approval,
}

/** Checks the form of one rule; conditions are read when it is compiled. Throws `BUNDLE_MALFORMED`. */
export function parseRule(value: Json, at: string): Rule {
  if (!isObject(value)) refuse('a rule is an object', at)
  for (const name in value) {
    const check = Object.hasOwn(members, name) ? members[name] : undefined
    if (check === undefined) refuse('this version knows no such member: remove it', `${at}.${name}`)
    check(value[name] ?? null, `${at}.${name}`)
  }
  for (const name of ['id', 'effect', 'actions']) {
    if (!Object.hasOwn(value, name)) refuse(`a rule needs ${name}`, at)
  }
  if (value['approval'] !== undefined && value['effect'] !== 'ESCALATE') {
    refuse('only an ESCALATE rule has an approval', `${at}.approval`)
  }
  return value as unknown as Rule
}

function patterns(value: Json, at: string): void {
  if (!Array.isArray(value) || value.length === 0) refuse('a list of at least one pattern', at)
  for (const [i, pattern] of (value as readonly Json[]).entries()) {
    if (typeof pattern !== 'string' || pattern === '' || pattern.length > maxPatternLength) {
      refuse(`a pattern is a text of 1 to ${maxPatternLength} characters`, `${at}[${i}]`)
    }
    const star = pattern.indexOf('*')
    if (star !== -1 && star !== pattern.length - 1) {
      refuse('a * stands only at the end of a pattern', `${at}[${i}]`)
    }
  }
}

function approval(value: Json, at: string): void {
  if (!isObject(value)) refuse('approval is an object', at)
  for (const [name, member] of Object.entries(value)) {
    const place = `${at}.${name}`
    if (name === 'by') patterns(member, place)
    else if (name === 'count') {
      if (!Number.isInteger(member) || (member as number) < 1 || (member as number) > 16) {
        refuse('count is an integer from 1 to 16', place)
      }
    } else if (name === 'expires_in') {
      if (typeof member !== 'string' || (parseDuration(member) ?? 0) <= 0) {
        refuse('expires_in is a duration such as 15m', place)
      }
    } else refuse('this version knows no such member: remove it', place)
  }
}

function refuse(message: string, at: string): never {
  throw new KernelError('BUNDLE_MALFORMED', message, { at })
}
