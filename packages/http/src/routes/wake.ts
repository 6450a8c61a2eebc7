import { isKernelError, KernelError, type Scope, scopeOf } from '@helm-ai-kernel/core'
import type { PolicyStatus, ReconcileStatus } from '@helm-ai-kernel/core/reconcile'
import { refuseBody } from '../limits/no-body.ts'
import type { InternalOptions } from '../options.ts'
import type { Refusal } from '../problem.ts'
import { json } from '../reply.ts'
import { type Answer, type Resource, resource } from '../route.ts'

const defaultPath = '/internal/policy/reconcile'
/** How long an answer waits for the attempt that it asked for, in ms. */
const patience = 15_000

const noBody =
  'a wake is a hint and brings no policy: send no body; policy comes from the policy source alone'
const parameters: readonly string[] = ['tenant_id', 'workspace_id']

/** What an answer with a scope in this state has for its status. */
const httpStatus = {
  ok: 200,
  no_change: 200,
  invalid: 422,
  compile_error: 422,
  validate_error: 422,
  source_error: 503,
} as const satisfies Record<ReconcileStatus, number>

const unknownScope: Refusal = {
  refused: 'NOT_FOUND',
  detail: 'no policy source was ever asked for this scope: name one that this kernel serves',
}
const noScope: Refusal = {
  refused: 'NOT_FOUND',
  detail: 'this kernel has no policy source to ask: set HELM_POLICY_PATH, or another source',
}

/**
 * `POST /internal/policy/reconcile`: wakes the reconciler and answers how policy then stands.
 * INVARIANT: nothing that a caller sends reaches policy; not even a body is taken.
 */
export function wakeResource({ policy, clock, wakePath = defaultPath }: InternalOptions): Resource {
  return resource(wakePath, {
    POST: {
      access: 'internal',
      async handle({ request }) {
        await refuseBody(request, noBody)
        const scope = scopeIn(new URL(request.url))
        const over = new AbortController()
        const late = clock.sleep(patience, over.signal)
        await Promise.race([policy.wake(scope), late]).finally(() => over.abort())
        if (scope === undefined) return answerOf(policy.statuses())
        const status = policy.status(scope)
        return status === undefined ? unknownScope : answerOf([status])
      },
    },
  })
}

/** One scope is answered as it is, several as a list; the worst of them is the status. */
function answerOf(statuses: readonly PolicyStatus[]): Answer {
  const [first, ...more] = statuses
  if (first === undefined) return noScope
  const worst = Math.max(...statuses.map((status) => httpStatus[status.reconcile_status]))
  return json(more.length === 0 ? first : { scopes: statuses }, worst)
}

/** The scope that is meant; undefined for all. Throws `REQUEST_MALFORMED`. */
function scopeIn({ searchParams }: URL): Scope | undefined {
  const given = new Map<string, string>()
  for (const [name, value] of searchParams) {
    if (!parameters.includes(name)) {
      refuse(`there is no such parameter, there are ${parameters.join(', ')}`, name)
    }
    if (given.has(name)) refuse('give it once', name)
    given.set(name, value)
  }
  const [tenantId, workspaceId] = parameters.map((name) => given.get(name))
  if (tenantId === undefined && workspaceId === undefined) return undefined
  if (tenantId === undefined || workspaceId === undefined) {
    refuse('give both tenant_id and workspace_id, or none for every scope')
  }
  try {
    return scopeOf(tenantId, workspaceId)
  } catch (error) {
    if (!isKernelError(error, 'IDENTIFIER_INVALID')) throw error
    refuse(error.message)
  }
}

function refuse(message: string, at?: string): never {
  throw new KernelError('REQUEST_MALFORMED', message, at === undefined ? {} : { at })
}
