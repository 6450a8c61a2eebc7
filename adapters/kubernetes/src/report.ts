import {
  type Cancel,
  type Clock,
  isKernelError,
  type JsonObject,
  messageOf,
} from '@helm-ai-kernel/core'
import type { PolicyStatus } from '@helm-ai-kernel/core/reconcile'
import type { Log } from '@helm-ai-kernel/host'
import type { Api } from './api.ts'
import { inTime } from './deadline.ts'
import type { PolicyObject, Ready } from './object.ts'
import { refusedBy } from './permission.ts'
import { objectStatus, saysTheSame } from './status.ts'

export interface ReportOptions {
  readonly api: Api
  readonly clock: Clock
  readonly log: Log
  readonly ended: Cancel
}

/** What was written last on one object. */
interface Written {
  readonly json: JsonObject
  /** Monotonic ms. */
  readonly at: number
  readonly ready: Ready
}

/** A status that differs in its times alone is written so seldom, ms. */
const restTime = 60_000
const patience = 10_000
const maxObjects = 5000
const maxSaid = 100

/**
 * Writes how attempts ended into the status of their objects, one after the other. Nobody waits for it
 * and it never throws: what cannot be written is told once. Several kernels may write one object; the last
 * one stands.
 */
export function reporter(
  options: ReportOptions,
): (object: PolicyObject, status: PolicyStatus) => void {
  const { api, clock, log, ended } = options
  /** By uid; the newest of each. */
  const waiting = new Map<string, readonly [PolicyObject, PolicyStatus]>()
  const written = new Map<string, Written>()
  const said = new Set<string>()
  let isBusy = false

  return (object, status) => {
    waiting.set(object.uid, [object, status])
    if (!isBusy) void work()
  }

  async function work(): Promise<void> {
    isBusy = true
    for (const [uid, [object, status]] of waiting) {
      if (ended.aborted) break
      waiting.delete(uid)
      await tell(object, status)
    }
    isBusy = false
  }

  async function tell(object: PolicyObject, status: PolicyStatus): Promise<void> {
    const last = written.get(object.uid)
    const before = newer(last?.ready, object.ready)
    const { json, ready } = objectStatus(status, object.generation, before, clock.now())
    const at = clock.monotonic()
    if (last !== undefined && saysTheSame(last.json, json) && at - last.at < restTime) return
    if (last === undefined && written.size >= maxObjects) written.clear()
    written.set(object.uid, { json, at, ready })
    await write(object, json)
  }

  async function write({ name }: PolicyObject, status: JsonObject): Promise<void> {
    try {
      const { status: answer } = await inTime(clock, patience, ended, (cancel) =>
        api.patch(`helmpolicybundles/${name}/status`, { status }, cancel),
      )
      // Who deletes an object needs no word of it.
      if (answer === 200 || answer === 404) return
      const act = {
        verb: 'patch',
        group: 'policy.helm.ai',
        resource: 'helmpolicybundles/status',
      } as const
      throw refusedBy(answer, act, api.namespace)
    } catch (error) {
      if (!ended.aborted) complain(error)
    }
  }

  function complain(error: unknown): void {
    const reason = messageOf(error)
    if (said.has(reason) || said.size >= maxSaid) return
    said.add(reason)
    const code = isKernelError(error) ? error.code : 'INTERNAL'
    log.warn('the status of a HelmPolicyBundle is not written', { code, reason })
  }
}

function newer(a: Ready | undefined, b: Ready | undefined): Ready | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return b.since > a.since ? b : a
}
