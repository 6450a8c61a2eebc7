import { KernelError } from '@helm-ai-kernel/core'

/** What is asked of the API server, in the words of a Role. */
export interface Act {
  readonly verb: 'get' | 'list' | 'watch' | 'patch'
  readonly group: 'policy.helm.ai' | ''
  readonly resource: 'helmpolicybundles' | 'helmpolicybundles/status' | 'configmaps' | 'secrets'
  /** When a Role may grant it for this name alone. */
  readonly name?: string
}

/**
 * Why the API server did not do it, and what to grant or look at; `SOURCE_UNREACHABLE`. Its own words are
 * left out: they are long, and name users.
 */
export function refusedBy(status: number, act: Act, namespace: string): KernelError {
  const { verb, resource, name } = act
  const group = act.group === '' ? 'the core API group' : `API group ${act.group}`
  const what = `${verb} ${resource}${name === undefined ? '' : ` "${name}"`} in namespace ${namespace}`
  return new KernelError('SOURCE_UNREACHABLE', sentence())

  function sentence(): string {
    if (status === 401)
      return `the API server does not accept the service account's token (${what})`
    if (status === 403) {
      return `the service account may not ${what} (${group}): grant that verb to it in a Role`
    }
    if (status === 404 && act.group !== '') {
      return `the API server does not know helmpolicybundles.policy.helm.ai: install that CRD (${what})`
    }
    return `the API server answered ${status} when asked to ${what}`
  }
}
