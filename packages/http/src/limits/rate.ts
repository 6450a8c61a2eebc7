import type { Clock } from '@helm-ai-kernel/core'
import type { Refusal } from '../problem.ts'

/** Takes one request from the allowance of a credential. */
export type Rate = (credential: string) => Refusal | undefined

/** A token bucket for each credential, one second deep. There are only so many credentials. */
export function createRate(perSecond: number | undefined, clock: Pick<Clock, 'monotonic'>): Rate {
  if (perSecond === undefined) return () => undefined
  const depth = Math.max(1, perSecond)
  const buckets = new Map<string, { readonly tokens: number; readonly at: number }>()
  return (credential) => {
    const at = clock.monotonic()
    const before = buckets.get(credential) ?? { tokens: depth, at }
    const tokens = Math.min(depth, before.tokens + ((at - before.at) / 1000) * perSecond)
    const enough = tokens >= 1
    buckets.set(credential, { tokens: enough ? tokens - 1 : tokens, at })
    if (enough) return undefined
    return {
      refused: 'RATE_LIMITED',
      detail: `this key may send ${perSecond} requests a second: wait, or raise HELM_RATE_LIMIT`,
      headers: { 'retry-after': `${Math.ceil((1 - tokens) / perSecond)}` },
    }
  }
}
