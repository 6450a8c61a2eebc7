import { decodeJson, isObject, type JsonObject } from '@helm-ai-kernel/core'
import {
  type AuthFacts,
  type EffectivePolicySnapshot,
  explain as explainRequest,
  type Explanation,
  factsOf,
  parseRequest,
  type Request,
} from '@helm-ai-kernel/core/policy'
import { type Command, type Given, valueOf } from '../command.ts'
import { readFile } from '../files.ts'
import type { Io } from '../io.ts'
import { usage } from '../parse.ts'
import { compileUnverified, readPolicy } from '../policy-file.ts'
import { answer, table } from '../print.ts'

const name = 'explain'

export const explain: Command = {
  summary: 'decide one request by a bundle or a policy, and say which rules were asked',
  usage: '<policy> --principal NAME --action NAME [flags]',
  example:
    'explain policy.yaml --principal agent:a --action refund.create --args \'{"amount":500}\'',
  flags: {
    principal: { value: 'NAME', summary: 'who asks' },
    action: { value: 'NAME', summary: 'what is to be done' },
    resource: { value: 'NAME', summary: 'to what' },
    'session-id': { value: 'ID', summary: 'in which session' },
    args: { value: 'JSON', summary: 'arguments, an object; @FILE and @- read it' },
    context: { value: 'JSON', summary: "the caller's context, likewise" },
  },
  operands: [1, 1],
  async run(given, io) {
    const [path = ''] = given.operands
    const request = await readRequest(given, io)
    const { snapshot } = compileUnverified(await readPolicy(io, path))
    const facts = factsOf(request, snapshot.resourcesFrom, authOf(snapshot), Date.now())
    const explanation = explainRequest(snapshot, facts)
    return answer(io, given, documentOf(explanation), linesOf(explanation))
  },
}

async function readRequest(given: Given, io: Io): Promise<Request> {
  const principal = valueOf(given, 'principal')
  const action = valueOf(given, 'action')
  if (principal === undefined) throw usage(name, '--principal is missing')
  if (action === undefined) throw usage(name, '--action is missing')
  return parseRequest({
    principal,
    action,
    resource: valueOf(given, 'resource'),
    sessionId: valueOf(given, 'session-id'),
    args: await readObject(given, io, 'args'),
    context: await readObject(given, io, 'context'),
  })
}

async function readObject(given: Given, io: Io, flag: string): Promise<JsonObject | undefined> {
  const text = valueOf(given, flag)
  if (text === undefined) return undefined
  const bytes = text.startsWith('@')
    ? await readFile(io, text.slice(1))
    : new TextEncoder().encode(text)
  const limits = { maxBytes: 1 << 20, code: 'REQUEST_MALFORMED', what: `--${flag}` } as const
  const json = decodeJson(bytes, limits)
  if (!isObject(json)) throw usage(name, `--${flag} is a JSON object`)
  return json
}

/** Who asks here; a policy that looks at the credential or its roles sees these. */
function authOf({ scope }: EffectivePolicySnapshot): AuthFacts {
  return {
    tenant_id: scope.tenantId,
    workspace_id: scope.workspaceId,
    credential: 'explain',
    roles: ['decide'],
    surface: 'evaluate',
  }
}

function documentOf({ decision, candidates }: Explanation): object {
  return {
    verdict: decision.verdict,
    reason_code: decision.reasonCode,
    reason: decision.reason,
    rule_ids: decision.ruleIds,
    policy_epoch: decision.policyEpoch,
    policy_hash: decision.policyHash,
    candidates,
  }
}

const conditions = {
  none: 'has no condition',
  true: 'condition true',
  false: 'condition false',
  error: 'condition error',
} as const

function linesOf({ decision, candidates }: Explanation): readonly string[] {
  const rows = candidates.map(({ effect, id, action, resource, principal, condition, matches }) => [
    effect,
    id,
    matches ? 'matches' : 'does not match',
    conditions[condition],
    `${action} on ${resource} by ${principal}`,
  ])
  return [
    `${decision.verdict} ${decision.reasonCode}: ${decision.reason}`,
    '',
    ...(rows.length === 0 ? ['no rule has patterns that fit'] : table(rows)),
  ]
}
