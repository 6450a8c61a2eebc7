import { KernelError, type PolicySource, type Scope } from '@helm-ai-kernel/core'

/** What stands in for a source when the configuration names none: everything is denied, and why. */
export function noSource(scope: Scope): PolicySource {
  const fail = async (): Promise<never> => {
    throw new KernelError(
      'SOURCE_EMPTY',
      'no policy is configured, so everything is denied: set HELM_POLICY_PATH, or --policy, to a folder or file of policy',
    )
  }
  return Object.freeze({
    scopes: async () => [scope],
    head: fail,
    load: fail,
    settled: () => undefined,
  } satisfies PolicySource)
}
