import { isObject, type Json, type JsonObject } from '../bytes/json.ts'
import { isTimestamp } from '../bytes/time.ts'
import { KernelError } from '../error.ts'
import { type ReasonCode, reasonCodes } from '../reason.ts'
import * as v from '../schema.ts'
import { identifier, sameScope, scopeOf, systemScope } from '../trust/scope.ts'
import type { PolicyBundle, Rule, SelfTest } from './document.ts'
import { parseRule } from './rule.ts'

const time = v.custom<string>(isTimestamp, 'must be a time like 2026-11-22T06:00:00.000Z')
const id = v.pipe(v.string(), v.regex(identifier))
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(256))
const jsonObject = v.custom<JsonObject>((value) => isObject(value as Json), 'must be an object')
const verdict = v.picklist(['ALLOW', 'DENY', 'ESCALATE'])
const reasonCode = v.custom<ReasonCode>(
  (value) => (reasonCodes.decision as readonly unknown[]).includes(value),
  'must be a reason code of a decision',
)

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
  rules: v.array(v.unknown()),
  tests: v.optional(
    v.array(
      v.strictObject({
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
      }),
    ),
  ),
  metadata: v.optional(v.record(name, v.pipe(v.string(), v.maxLength(4096)))),
})

/**
 * Checks the form of a decoded bundle; every level is closed. Throws `BUNDLE_MALFORMED` naming the
 * first place that is wrong.
 */
export function parseBundle(json: Json): PolicyBundle {
  const code = 'BUNDLE_MALFORMED'
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
    rules: rulesOf(bundle.rules as readonly Json[]),
    tests: (bundle.tests ?? []) as readonly SelfTest[],
    metadata: bundle.metadata ?? {},
  }
}

function rulesOf(values: readonly Json[]): readonly Rule[] {
  let before = ''
  return values.map((value, i) => {
    const rule = parseRule(value, i)
    // INVARIANT: ids ascend strictly, so the same rules have one order and no id stands twice.
    if (rule.id <= before) {
      throw new KernelError(
        'BUNDLE_MALFORMED',
        `rule ids ascend strictly: "${rule.id}" stands after "${before}"`,
        { at: `rules[${i}].id` },
      )
    }
    before = rule.id
    return rule
  })
}

function moment(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text)
}
