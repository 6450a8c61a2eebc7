import type { Rule } from '../bundle/document.ts'
import { isObject, type Json, type JsonObject } from '../bytes/json.ts'

/** Something in a rule that does what it says, and perhaps not what its author means. */
export interface LintWarning {
  readonly ruleId: string
  /** The place within the rule, such as `when.all[1]`. */
  readonly at: string
  readonly message: string
}

/**
 * Warnings of design 3.1: a DENY or ESCALATE that compares what may be missing, an ALLOW that rests
 * on `context` or holds a path by its first characters. The rules' conditions have compiled.
 */
export function lintRules(rules: readonly Rule[]): readonly LintWarning[] {
  return rules.flatMap((rule) => {
    const look = rule.effect === 'ALLOW' ? permissive : restrictive
    return [...comparisons(rule.when, 'when', new Set())].flatMap((comparison) => {
      const message = look(comparison)
      return message === undefined ? [] : [{ ruleId: rule.id, at: comparison.at, message }]
    })
  })
}

interface Comparison {
  readonly at: string
  readonly path: string
  readonly op: string
  readonly value: Json
  /** Paths that an `exists` beside it, or beside a list that holds it, asks about. */
  readonly asked: ReadonlySet<string>
}

/** All comparisons of a condition, depth first. */
function* comparisons(
  when: Json | undefined,
  at: string,
  asked: ReadonlySet<string>,
): Generator<Comparison> {
  if (!isObject(when)) return
  const { path, op, value } = when
  if (typeof path === 'string' && typeof op === 'string' && value !== undefined) {
    yield { at, path, op, value, asked }
  }
  yield* comparisons(when['not'], `${at}.not`, asked)
  for (const name of ['all', 'any']) {
    const parts = partsOf(when, name)
    const here = new Set([...asked, ...parts.flatMap(askedBy)])
    for (const [i, part] of parts.entries()) yield* comparisons(part, `${at}.${name}[${i}]`, here)
  }
}

function partsOf(when: JsonObject, name: string): readonly Json[] {
  const parts = when[name]
  return Array.isArray(parts) ? (parts as readonly Json[]) : []
}

function askedBy(part: Json): readonly string[] {
  if (!isObject(part) || part['op'] !== 'exists') return []
  const path = part['path']
  return typeof path === 'string' ? [path] : []
}

function restrictive({ path, op, asked }: Comparison): string | undefined {
  if (op === 'exists' || !mayBeMissing(path)) return undefined
  // Whoever asks whether a member is there has asked about what holds it, too.
  const known = [...asked].some((one) => one === path || one.startsWith(`${path}.`))
  if (known) return undefined
  return (
    `without ${path} this is an error, and the rule then matches: put ` +
    `{"path":"${path}","op":"exists","value":true} beside it if it must not`
  )
}

function permissive({ path, op, value }: Comparison): string | undefined {
  if (path === 'context' || path.startsWith('context.')) {
    return `${path} is what the caller says of itself: an ALLOW must not rest on it`
  }
  if (op === 'starts_with' && typeof value === 'string' && /[/\\]/.test(value)) {
    const other = `${value.replace(/[/\\]$/, '')}/../elsewhere`
    return `"${other}" begins so too: use within, which goes by whole segments`
  }
  return undefined
}

/** Only what the caller gives may be missing; the rest the kernel sets. */
function mayBeMissing(path: string): boolean {
  return path.startsWith('args.') || path.startsWith('context.')
}
