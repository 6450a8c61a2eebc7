import {
  type Cancel,
  type Clock,
  KernelError,
  type PolicySource,
  type Scope,
  scopeKey,
} from '@helm-ai-kernel/core'
import type { Log } from '@helm-ai-kernel/host'
import { apiOf } from './api.ts'
import { readBundle } from './bytes.ts'
import { headIn, refIn, scopeIn } from './claim.ts'
import type { Cluster } from './cluster.ts'
import { inTime } from './deadline.ts'
import { follow } from './follow.ts'
import { latestOf } from './latest.ts'
import { listAll, type Listing } from './listing.ts'
import type { PolicyObject } from './object.ts'
import { reporter } from './report.ts'

export interface CrdOptions {
  readonly cluster: Cluster
  /** A listing may serve all who ask within so long, ms. */
  readonly fresh: number
  readonly clock: Clock
  readonly log: Log
  readonly wake: (scope?: Scope) => void
  readonly ended: Cancel
}

/** For one whole listing, ms (design 3.2, step 1). */
const patience = 10_000

/**
 * Policy from the HelmPolicyBundles of one namespace (design 3.2, Sources). What it says always rests on a
 * listing made for the question, so polling alone finds every change; a watch only gives hints.
 */
export function crdSource(options: CrdOptions): PolicySource {
  const { cluster, fresh, clock, ended } = options
  const api = apiOf(cluster)
  const { namespace } = api
  const list = (): Promise<Listing> =>
    inTime(clock, patience, ended, (cancel) => listAll(api, cancel))
  const latest = latestOf(list, clock, fresh)
  const report = reporter({ ...options, api })
  /** What the newest head of a scope was made of, for the steps that follow it. */
  const asked = new Map<string, readonly PolicyObject[]>()
  let isFollowed = false

  return Object.freeze({
    async scopes(cancel) {
      const objects = await objectsNow(cancel)
      const scopes = new Map(objects.map(scopeIn).map((scope) => [scopeKey(scope), scope]))
      return [...scopes.values()]
    },

    async head(scope, cancel) {
      const objects = (await objectsNow(cancel)).filter((object) => isFor(object, scope))
      const [object, other] = objects
      if (object === undefined) {
        asked.delete(scopeKey(scope))
        throw none(scope)
      }
      asked.set(scopeKey(scope), objects)
      if (other === undefined) return headIn(object, namespace)
      const names = objects.slice(0, 5).map(({ name }) => name)
      throw new KernelError(
        'SCOPE_CONFLICT',
        `HelmPolicyBundles ${names.join(', ')} are for one scope, ${scopeKey(scope)}: leave one`,
      )
    },

    async load(scope, _head, cancel) {
      const [object] = asked.get(scopeKey(scope)) ?? []
      if (object === undefined) throw none(scope)
      return readBundle(api, refIn(object), cancel)
    },

    settled(scope, status) {
      const known = latest.known()?.objects ?? []
      for (const object of asked.get(scopeKey(scope)) ?? []) {
        // Another may have its name by now, and be for another scope.
        if (known.some(({ uid }) => uid === object.uid)) report(object, status)
      }
    },
  } satisfies PolicySource)

  async function objectsNow(cancel: Cancel): Promise<readonly PolicyObject[]> {
    const { objects } = await latest.current(cancel)
    if (!isFollowed) void follow({ ...options, latest })
    isFollowed = true
    return objects
  }

  function none({ tenantId, workspaceId }: Scope): KernelError {
    return new KernelError(
      'SOURCE_EMPTY',
      `no HelmPolicyBundle in namespace ${namespace} is for ${tenantId}/${workspaceId}: create one`,
    )
  }
}

function isFor({ spec }: PolicyObject, { tenantId, workspaceId }: Scope): boolean {
  return spec['tenantId'] === tenantId && spec['workspaceId'] === workspaceId
}
