import { parseDuration } from '../bytes/duration.ts'
import { isObject, type Json } from '../bytes/json.ts'
import { KernelError } from '../error.ts'
import type { Rule } from './document.ts'

// Checked by hand and not by schema: a bundle may hold 100,000 rules, and its install is timed
// against parsing alone (design 7, P3). For the same reason a place is only spelled out on a fault.

interface Fault {
  readonly message: string
  /** Below the member, such as `[1]` or `.count`. */
  readonly at: string
}

type Check = (value: Json) => Fault | undefined

const ruleId = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/
const maxPatternLength = 2048
const unknownMember = 'this version knows no such member: remove it'

const members: Readonly<Record<string, Check>> = {
  id: (value) =>
    typeof value === 'string' && ruleId.test(value)
      ? undefined
      : fault('1 to 128 of A-Z a-z 0-9 . _ : / - beginning with a letter or digit'),
  effect: (value) =>
    value === 'ALLOW' || value === 'DENY' || value === 'ESCALATE'
      ? undefined
      : fault('effect is ALLOW, DENY or ESCALATE'),
  actions: patterns,
  principals: patterns,
  resources: patterns,
  when: (value) =>
    isObject(value) ? undefined : fault('when is an object: all, any, not, path or cel'),
  reason: (value) =>
    typeof value === 'string' && value !== '' && value.length <= 1024
      ? undefined
      : fault('reason is a text of 1 to 1,024 characters'),
  approval,
}

/** Checks the form of `rules[i]`; its condition is read when it is compiled. Throws `BUNDLE_MALFORMED`. */
export function parseRule(value: Json, i: number): Rule {
  if (!isObject(value)) return refuse('a rule is an object', `rules[${i}]`)
  for (const name in value) {
    const check = Object.hasOwn(members, name) ? members[name] : undefined
    const found = check === undefined ? fault(unknownMember) : check(value[name] ?? null)
    if (found !== undefined) return refuse(found.message, `rules[${i}].${name}${found.at}`)
  }
  for (const name of ['id', 'effect', 'actions']) {
    if (!Object.hasOwn(value, name)) return refuse(`a rule needs ${name}`, `rules[${i}]`)
  }
  if (value['approval'] !== undefined && value['effect'] !== 'ESCALATE') {
    return refuse('only an ESCALATE rule has an approval', `rules[${i}].approval`)
  }
  return value as unknown as Rule
}

function patterns(value: Json): Fault | undefined {
  if (!Array.isArray(value) || value.length === 0) return fault('a list of at least one pattern')
  const list: readonly Json[] = value
  for (let i = 0; i < list.length; i++) {
    const pattern = list[i]
    if (typeof pattern !== 'string' || pattern === '' || pattern.length > maxPatternLength) {
      return fault(`a pattern is a text of 1 to ${maxPatternLength} characters`, `[${i}]`)
    }
    const star = pattern.indexOf('*')
    if (star !== -1 && star !== pattern.length - 1) {
      return fault('a * stands only at the end of a pattern', `[${i}]`)
    }
  }
  return undefined
}

const approvalMembers: Readonly<Record<string, Check>> = {
  by: patterns,
  count: (value) =>
    Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 16
      ? undefined
      : fault('count is an integer from 1 to 16'),
  expires_in: (value) =>
    typeof value === 'string' && (parseDuration(value) ?? 0) > 0
      ? undefined
      : fault('expires_in is a duration such as 15m'),
}

function approval(value: Json): Fault | undefined {
  if (!isObject(value)) return fault('approval is an object')
  for (const [name, member] of Object.entries(value)) {
    const check = Object.hasOwn(approvalMembers, name) ? approvalMembers[name] : undefined
    const found = check === undefined ? fault(unknownMember) : check(member)
    if (found !== undefined) return fault(found.message, `.${name}${found.at}`)
  }
  return undefined
}

function fault(message: string, at = ''): Fault {
  return { message, at }
}

function refuse(message: string, at: string): never {
  throw new KernelError('BUNDLE_MALFORMED', message, { at })
}
