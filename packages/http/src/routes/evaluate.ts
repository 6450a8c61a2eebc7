import { type Answer, type Crypto, digest, KernelError } from '@helm-ai-kernel/core'
import { type ClosedObject, closedObject } from '../closed.ts'
import { readJson } from '../limits/body.ts'
import type { AppOptions } from '../options.ts'
import { json } from '../reply.ts'
import { type Resource, resource } from '../route.ts'

const members: ReadonlySet<string> = new Set([
  'action',
  'tool',
  'resource',
  'effect_level',
  'session_id',
  'args',
  'context',
  'approval_id',
  'min_policy_epoch',
])

/** `POST /api/v1/evaluate`: 200 for every verdict; only a request that cannot be read is an error. */
export function evaluateResource({ kernel, crypto, limits }: AppOptions): Resource {
  return resource('/api/v1/evaluate', {
    POST: {
      access: 'decide',
      async handle({ request }, { name, scope, roles, principal }) {
        const { headers } = request
        refuseIdempotencyKey(headers)
        const read = closedObject(await readJson(request, limits.maxBodyBytes), members, {
          code: 'REQUEST_MALFORMED',
          what: 'the request body',
        })
        const answer = await kernel.decide(
          {
            principal,
            action: pair(read, 'action', 'tool') ?? refuse('name what is to be done', 'action'),
            resource: pair(read, 'resource', 'effect_level'),
            sessionId: memberOrHeader(read, 'session_id', headers, 'X-Helm-Session-ID'),
            args: read.object('args'),
            context: read.object('context'),
            approvalId: memberOrHeader(read, 'approval_id', headers, 'X-Helm-Approval-ID'),
            minPolicyEpoch: read.number('min_policy_epoch'),
          },
          { scope, surface: 'evaluate', credential: name, method: 'key', roles },
        )
        const { verdict, reasonCode } = answer.decision
        return { ...json(wireAnswer(answer, crypto)), code: reasonCode, verdict }
      },
    },
  })
}

/** A member that has two names; whoever gives both must mean the same. */
function pair(read: ClosedObject, name: string, other: string): string | undefined {
  const value = read.text(name)
  const same = read.text(other)
  if (value !== undefined && same !== undefined && value !== same) {
    refuse(`${name} and ${other} are two names of one thing and must be equal`, other)
  }
  return value ?? same
}

function memberOrHeader(
  read: ClosedObject,
  name: string,
  headers: Headers,
  header: string,
): string | undefined {
  const value = read.text(name)
  const same = headers.get(header)
  if (value !== undefined && same !== null && value !== same) {
    refuse(`must equal the header ${header} when both are given`, name)
  }
  return value ?? same ?? undefined
}

/** Whoever sends one relies on a replay that this version does not give. */
function refuseIdempotencyKey(headers: Headers): void {
  if (headers.has('idempotency-key')) {
    refuse('this version replays no answers: leave the header out', 'Idempotency-Key')
  }
}

function wireAnswer(
  { decision, receipt, argsSalt }: Answer,
  crypto: Crypto,
): Readonly<Record<string, unknown>> {
  const { verdict, reasonCode, reason, ruleIds, policyEpoch, policyHash } = decision
  return {
    // INVARIANT: nothing is allowed without a receipt.
    allow: verdict === 'ALLOW' && receipt !== undefined,
    verdict,
    reason_code: reasonCode,
    reason,
    rule_ids: ruleIds,
    policy_ref: policyEpoch === null ? null : `${policyHash}@${policyEpoch}`,
    policy_epoch: policyEpoch,
    policy_hash: policyHash,
    ...(receipt !== undefined && {
      receipt_id: receipt.receiptId,
      decision_id: receipt.receiptId,
      decision_hash: digest(crypto, receipt.payload),
      lamport_clock: receipt.statement.seq,
      log_index: receipt.logIndex,
      args_salt: argsSalt,
    }),
  }
}

function refuse(message: string, at: string): never {
  throw new KernelError('REQUEST_MALFORMED', message, { at })
}
