import { type Cancel, type Clock, isKernelError, messageOf, type Scope } from '@helm-ai-kernel/core'
import type { Log } from '@helm-ai-kernel/host'
import { scopeIn } from './claim.ts'
import type { Cluster } from './cluster.ts'
import type { Latest } from './latest.ts'
import type { PolicyObject } from './object.ts'
import { watch } from './watch.ts'

export interface FollowOptions {
  readonly cluster: Cluster
  readonly latest: Latest
  readonly clock: Clock
  readonly log: Log
  readonly wake: (scope?: Scope) => void
  readonly ended: Cancel
}

const shortestPause = 1000
const longestPause = 60_000

/**
 * Watches from the newest listing on, for as long as the server lives, and makes a hint of each change.
 * Nothing rests on it: whoever asks gets a listing. Never rejects.
 */
export async function follow(options: FollowOptions): Promise<void> {
  const { cluster, latest, clock, log, wake, ended } = options
  /** The resourceVersion to go on from; undefined when only a listing can tell. */
  let from: string | undefined
  let seen: Map<string, string> | undefined
  let failures = 0
  let told: string | undefined
  while (!ended.aborted) {
    try {
      const begin = (from ??= await list())
      for await (const change of watch(cluster, begin, clock, ended)) {
        works()
        from = change.type === 'GAP' ? undefined : change.resourceVersion
        if (change.type === 'GAP') latest.spoil()
        else if (change.type !== 'BOOKMARK') hint(change.type, change.object)
      }
    } catch (error) {
      fails(error)
    }
    const pause = Math.min(shortestPause * 2 ** failures, longestPause)
    await clock.sleep(pause * (0.5 + Math.random() / 2), ended)
  }

  async function list(): Promise<string> {
    const { objects, resourceVersion } = await latest.current(ended)
    // What happened since the watch broke off is in the listing, but nobody was told.
    if (seen !== undefined) wake()
    seen = new Map(objects.map((object) => [object.name, versionOf(object)]))
    return resourceVersion
  }

  function hint(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: PolicyObject): void {
    const isKnown = seen?.get(object.name) === versionOf(object)
    // A status was written: were that a hint, kernels would wake each other for ever.
    if (type === 'MODIFIED' && isKnown) return
    if (type === 'DELETED') seen?.delete(object.name)
    else seen?.set(object.name, versionOf(object))
    latest.spoil()
    wake(type === 'MODIFIED' ? scopeOrAll(object) : undefined)
  }

  function works(): void {
    failures = 0
    if (told !== undefined) log.info('HelmPolicyBundles are watched again')
    told = undefined
  }

  function fails(error: unknown): void {
    if (ended.aborted) return
    failures = Math.min(failures + 1, 10)
    if (isKernelError(error, 'SOURCE_TOO_LARGE')) from = undefined
    const reason = messageOf(error)
    if (reason === told) return
    told = reason
    log.warn('HelmPolicyBundles are not watched, polling alone finds a change', { reason })
  }
}

function versionOf({ uid, generation }: PolicyObject): string {
  return `${uid}/${generation}`
}

/** Undefined, for all scopes, when the object does not say which. */
function scopeOrAll(object: PolicyObject): Scope | undefined {
  try {
    return scopeIn(object)
  } catch {
    return undefined
  }
}
