import { finish } from '../bytes/finish.ts'
import { isObject, type Json, type JsonObject } from '../bytes/json.ts'
import { isTimestamp } from '../bytes/time.ts'
import { KernelError } from '../error.ts'
import { type ReasonCode, reasonCodes } from '../reason.ts'
import * as v from '../schema.ts'
import { identifier, sameScope, scopeOf, systemScope } from '../trust/scope.ts'
import type { PolicyBundle, Rule, SelfTest } from './document.ts'
import { parseRule } from './rule.ts'

const code = 'BUNDLE_MALFORMED'

const time = v.custom<string>(isTimestamp, 'must be a time like 2026-11-22T06:00:00.000Z')
const id = v.pipe(v.string(), v.regex(identifier))
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(256))
const jsonObject = v.custom<JsonObject>((value) => isObject(value as Json), 'must be an object')
const verdict = v.picklist(['ALLOW', 'DENY', 'ESCALATE'])
const reasonCode = v.custom<ReasonCode>(
  (value) => (reasonCodes.decision as readonly unknown[]).includes(value),
  'must be a reason code of a decision',
)

/** All of them run before a bundle is activated. */
const maxTests = 10_000
const list = v.custom<readonly Json[]>(Array.isArray, 'must be a list')

const selfTest = v.strictObject({
  name,
  request: v.strictObject({
    principal: v.string(),
    action: v.string(),
    resource: v.optional(v.string()),
    session_id: v.optional(v.string()),
    args: v.optional(jsonObject),
    context: v.optional(jsonObject),
  }),
  expect: v.strictObject({
    verdict,
    rule_id: v.optional(v.string()),
    reason_code: v.optional(reasonCode),
  }),
})

const document = v.strictObject({
  type: v.literal('helm.policy-bundle/v1'),
  scope: v.strictObject({ tenant_id: id, workspace_id: id }),
  audience: v.optional(v.pipe(v.array(name), v.minLength(1), v.maxLength(64))),
  policy_epoch: v.pipe(v.number(), v.integer(), v.minValue(1)),
  issued_at: v.optional(time),
  expires_at: v.optional(time),
  resources_from: v.optional(
    v.record(name, v.pipe(v.string(), v.regex(/^args(\.[^.]{1,256}){1,16}$/))),
  ),
  rules: list,
  tests: v.optional(v.pipe(list, v.maxLength(maxTests))),
  metadata: v.optional(v.record(name, v.pipe(v.string(), v.maxLength(4096)))),
})

/** Rules or tests between two yields: about a millisecond. */
const slice = 512

/**
 * Checks the form of a decoded bundle; every level is closed. Yields between slices. Throws
 * `BUNDLE_MALFORMED` naming the first place that is wrong.
 */
export function* parseBundleSliced(json: Json): Generator<undefined, PolicyBundle> {
  const bundle = v.parse(document, json, code, 'bundle')
  const scope = scopeOf(bundle.scope.tenant_id, bundle.scope.workspace_id)
  if (sameScope(scope, systemScope)) {
    throw new KernelError(code, 'helm/system is reserved', { at: 'scope' })
  }
  const issuedAt = moment(bundle.issued_at)
  const expiresAt = moment(bundle.expires_at)
  if (issuedAt !== undefined && expiresAt !== undefined && expiresAt <= issuedAt) {
    throw new KernelError(code, 'expires_at must be after issued_at', { at: 'expires_at' })
  }
  return {
    scope,
    audience: bundle.audience,
    policyEpoch: bundle.policy_epoch,
    issuedAt,
    expiresAt,
    resourcesFrom: new Map(Object.entries(bundle.resources_from ?? {})),
    rules: yield* inSlices(bundle.rules, parseRuleAfter),
    tests: yield* inSlices(bundle.tests ?? [], parseTest),
    metadata: bundle.metadata ?? {},
  }
}

/** `parseBundleSliced`, run to its end. */
export function parseBundle(json: Json): PolicyBundle {
  return finish(parseBundleSliced(json))
}

/** Apart from the loop over slices, because engines optimise a plain loop sooner. */
function* inSlices<T>(
  values: readonly Json[],
  parse: (value: Json, i: number, before: T | undefined) => T,
): Generator<undefined, readonly T[]> {
  const parsed: T[] = []
  const parseSome = (to: number): void => {
    for (let i = parsed.length; i < to; i++) parsed.push(parse(values[i] ?? null, i, parsed[i - 1]))
  }
  while (parsed.length < values.length) {
    parseSome(Math.min(parsed.length + slice, values.length))
    yield
  }
  return parsed
}

function parseRuleAfter(value: Json, i: number, before: Rule | undefined): Rule {
  const rule = parseRule(value, i)
  // INVARIANT: ids ascend strictly, so the same rules have one order and no id stands twice.
  if (before !== undefined && rule.id <= before.id) {
    throw new KernelError(
      code,
      `rule ids ascend strictly: "${rule.id}" stands after "${before.id}"`,
      { at: `rules[${i}].id` },
    )
  }
  return rule
}

function parseTest(value: Json, i: number): SelfTest {
  return v.parse(selfTest, value, code, 'bundle', `tests.${i}`) as SelfTest
}

function moment(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text)
}
