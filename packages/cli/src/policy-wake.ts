import { type JsonObject, KernelError, type Scope } from '@helm-ai-kernel/core'
import type { Given } from './command.ts'
import type { Io } from './io.ts'
import { type KernelClient, kernelClient, type Response } from './kernel-client.ts'
import { usage } from './parse.ts'
import { statusesIn } from './policy-status.ts'

/** Asks a kernel to ask its policy source now. It brings no policy with it. */
export interface Waker {
  /** Where the hint goes. */
  readonly url: string
  /** What the kernel answered. Throws when the hint was not taken. */
  wake(scope?: Scope, cancel?: AbortSignal): Promise<Woken>
}

export interface Woken {
  readonly body: Response['body']
  /** How each scope then stands. */
  readonly statuses: readonly JsonObject[]
}

const defaultPath = '/internal/policy/reconcile'
// INVARIANT: the key is sent to the host of the URL alone, so a path may not begin with two slashes.
const pathForm = /^\/internal\/[A-Za-z0-9/_-]+$/

/** A path in `--url` counts for more than HELM_POLICY_WAKE_PATH. */
export async function createWaker(
  name: string,
  given: Given,
  io: Io,
  variables: readonly string[],
): Promise<Waker> {
  const client = await kernelClient(name, given, io, variables)
  const { pathname } = new URL(client.url)
  const path = pathname === '/' ? io.env['HELM_POLICY_WAKE_PATH'] || defaultPath : pathname
  if (!pathForm.test(path)) {
    throw usage(
      name,
      'the path that wakes begins with /internal/ in --url and HELM_POLICY_WAKE_PATH',
    )
  }
  return {
    url: new URL(path, client.url).href,
    wake: (scope, cancel) => wake(client, path, scope, cancel),
  }
}

async function wake(
  client: KernelClient,
  path: string,
  scope: Scope | undefined,
  cancel: AbortSignal | undefined,
): Promise<Woken> {
  const query = { tenant_id: scope?.tenantId, workspace_id: scope?.workspaceId }
  const response = await client.post(path, query, cancel)
  const statuses = statusesIn(response.body)
  if (statuses.length === 0) throw refusalOf(client.problem(response))
  return { body: response.body, statuses }
}

/** The kernel cannot say where else the path is. */
function refusalOf(error: KernelError): KernelError {
  if (error.code !== 'NOT_FOUND') return error
  const elsewhere =
    'where HELM_INTERNAL_PORT or HELM_POLICY_WAKE_PATH is set, give that port and path with --url'
  return new KernelError(error.code, `${error.message}; ${elsewhere}`)
}
