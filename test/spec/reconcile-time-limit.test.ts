import type { Cancel } from '@helm-ai-kernel/core'
import { describe, expect, it } from 'vitest'
import { inTime } from '../../packages/core/src/reconcile/in-time.ts'
import { fakeClock } from '../support/clock.ts'
import { turns, unreachable } from '../support/reconcile.ts'

describe('work with a limit of time', () => {
  /** A clock whose sleeps are counted until they end. */
  function countingClock() {
    const clock = fakeClock()
    const cancels: Cancel[] = []
    return {
      ...clock,
      sleep: async (ms: number, cancel: Cancel) => {
        cancels.push(cancel)
        await clock.sleep(ms, cancel)
      },
      sleeping: () => cancels.filter(({ aborted }) => !aborted).length,
    }
  }

  it('is told to stop when the time is over, and not waited for', async () => {
    const clock = countingClock()
    let told: Cancel | undefined
    const result = inTime(clock, 5_000, 'the answer', (cancel) => {
      told = cancel
      return new Promise(() => undefined)
    })
    clock.advance(4_999)
    await turns()
    expect(told?.aborted).toBe(false)
    clock.advance(1)
    await expect(result).rejects.toMatchObject({
      code: 'SOURCE_TIMEOUT',
      message: 'the answer did not come within 5 s',
    })
    expect(told?.aborted).toBe(true)
  })

  it.each<[how: string, work: () => Promise<string>]>([
    ['is done', async () => 'done'],
    ['fails', async () => Promise.reject(unreachable)],
    [
      'fails before it begins',
      () => {
        throw unreachable
      },
    ],
  ])('that %s leaves no timer behind, and no rejection that nobody sees', async (_how, work) => {
    const unseen: unknown[] = []
    const see = (reason: unknown): void => void unseen.push(reason)
    process.on('unhandledRejection', see)
    const clock = countingClock()
    await inTime(clock, 5_000, 'the answer', work).catch(() => undefined)
    expect(clock.sleeping()).toBe(0)
    await turns()
    process.off('unhandledRejection', see)
    expect(unseen).toEqual([])
  })
})
