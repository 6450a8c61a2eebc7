import type { Json, Verdict } from '@helm-ai-kernel/core'
import type { Rule } from '@helm-ai-kernel/core/bundle'

// The definition of a decision (design 3.1), written as it reads and not as it runs fast: no index,
// no compilation, no sharing. The compiled snapshot is held against this.

export interface NaiveRequest {
  readonly principal: string
  readonly action: string
  readonly resource: string
  readonly args: Json
  readonly context: Json
}

type Truth = 'true' | 'false' | 'error'

export interface NaiveDecision {
  readonly verdict: Verdict
  readonly code: string
  readonly ids: readonly string[]
}

export function decideNaively(rules: readonly Rule[], request: NaiveRequest): NaiveDecision {
  for (const effect of ['DENY', 'ESCALATE'] as const) {
    const met = rules
      .filter((rule) => rule.effect === effect && applies(rule, request))
      .map((rule) => ({ id: rule.id, truth: truthOf(rule.when, request) }))
      .filter(({ truth }) => truth !== 'false')
    if (met.length > 0) {
      const clean = met.some(({ truth }) => truth === 'true')
      const plain = effect === 'DENY' ? 'DENIED_BY_RULE' : 'ESCALATED_BY_RULE'
      return { verdict: effect, code: clean ? plain : 'CONDITION_ERROR', ids: idsOf(met) }
    }
  }
  const asked = rules
    .filter((rule) => rule.effect === 'ALLOW' && applies(rule, request))
    .map((rule) => ({ id: rule.id, truth: truthOf(rule.when, request) }))
  const allowed = asked.filter(({ truth }) => truth === 'true')
  if (allowed.length > 0) {
    return { verdict: 'ALLOW', code: 'ALLOWED_BY_RULE', ids: idsOf(allowed) }
  }
  const erred = asked.filter(({ truth }) => truth === 'error')
  if (erred.length > 0) return { verdict: 'DENY', code: 'CONDITION_ERROR', ids: idsOf(erred) }
  return { verdict: 'DENY', code: 'NO_MATCHING_RULE', ids: [] }
}

function idsOf(rules: readonly { readonly id: string }[]): readonly string[] {
  return rules
    .map((rule) => rule.id)
    .sort()
    .slice(0, 64)
}

function applies(rule: Rule, request: NaiveRequest): boolean {
  const stepsUp = request.resource.split('/').includes('..')
  const noPrefix = rule.effect === 'ALLOW' && stepsUp
  return (
    rule.actions.some((pattern) => fits(pattern, request.action, false)) &&
    (rule.principals ?? ['*']).some((pattern) => fits(pattern, request.principal, false)) &&
    (rule.resources ?? ['*']).some((pattern) => fits(pattern, request.resource, noPrefix))
  )
}

function fits(pattern: string, value: string, noPrefix: boolean): boolean {
  if (pattern === '*') return true
  if (!pattern.endsWith('*')) return pattern === value
  return !noPrefix && value.startsWith(pattern.slice(0, -1))
}

function truthOf(when: Json | undefined, request: NaiveRequest): Truth {
  if (when === undefined) return 'true'
  const node = when as Record<string, Json>
  if (node['all'] !== undefined) {
    const parts = (node['all'] as Json[]).map((part) => truthOf(part, request))
    if (parts.includes('false')) return 'false'
    return parts.includes('error') ? 'error' : 'true'
  }
  if (node['any'] !== undefined) {
    const parts = (node['any'] as Json[]).map((part) => truthOf(part, request))
    if (parts.includes('true')) return 'true'
    return parts.includes('error') ? 'error' : 'false'
  }
  if (node['not'] !== undefined) {
    const part = truthOf(node['not'], request)
    return part === 'error' ? 'error' : part === 'true' ? 'false' : 'true'
  }
  return compare(
    valueAt(node['path'] as string, request),
    node['op'] as string,
    node['value'] as Json,
  )
}

function valueAt(path: string, request: NaiveRequest): Json | undefined {
  let value: Json | undefined = request as unknown as Json
  for (const name of path.split('.')) {
    if (Array.isArray(value))
      value = /^\d+$/.test(name) ? (value as Json[])[Number(name)] : undefined
    else if (typeof value === 'object' && value !== null) {
      value = Object.entries(value).find(([key]) => key === name)?.[1]
    } else value = undefined
  }
  return value
}

function compare(actual: Json | undefined, op: string, operand: Json): Truth {
  const say = (holds: boolean): Truth => (holds ? 'true' : 'false')
  if (op === 'exists') return say((actual !== undefined) === operand)
  if (actual === undefined) return 'error'
  const kind = (value: Json): string => (value === null ? 'null' : typeof value)
  const scalar = (value: Json): boolean => kind(value) !== 'object'
  if (op === 'eq' || op === 'ne') {
    if (kind(actual) !== kind(operand)) return 'error'
    return say((actual === operand) === (op === 'eq'))
  }
  if (op === 'in' || op === 'not_in') {
    const list = operand as Json[]
    if (kind(actual) !== kind(list[0] ?? null)) return 'error'
    return say(list.some((item) => item === actual) === (op === 'in'))
  }
  if (op === 'contains') {
    if (typeof actual === 'string') {
      return typeof operand === 'string' ? say(actual.includes(operand)) : 'error'
    }
    if (!Array.isArray(actual) || !(actual as Json[]).every(scalar)) return 'error'
    return say((actual as Json[]).some((item) => item === operand))
  }
  if (op === 'starts_with' || op === 'ends_with') {
    if (typeof actual !== 'string') return 'error'
    const text = operand as string
    return say(op === 'starts_with' ? actual.startsWith(text) : actual.endsWith(text))
  }
  if (kind(actual) !== kind(operand)) return 'error'
  const [a, b] = [actual as number, operand as number]
  if (op === 'lt') return say(a < b)
  if (op === 'lte') return say(a < b || a === b)
  if (op === 'gt') return say(a > b)
  return say(a > b || a === b)
}
