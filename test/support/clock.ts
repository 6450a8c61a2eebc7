import type { Cancel, Clock } from '@helm-ai-kernel/core'
import { now } from './policy.ts'

/** A clock that stands still until a test moves it; both of its hands can be moved alone. */
export interface FakeClock extends Clock {
  /** Moves both hands, and ends the sleeps that are due. */
  advance(ms: number): void
  /** Moves one hand: a step of the wall clock, or a sleep of the machine. */
  step(hand: 'wall' | 'monotonic', ms: number): void
}

export function fakeClock(start: number = now): FakeClock {
  let wall = start
  let monotonic = 1000
  const sleepers = new Set<{ readonly due: number; readonly wake: () => void }>()
  const wakeDue = (): void => {
    for (const sleeper of [...sleepers]) {
      if (sleeper.due > monotonic) continue
      sleepers.delete(sleeper)
      sleeper.wake()
    }
  }
  return {
    now: () => wall,
    monotonic: () => monotonic,
    async sleep(ms, cancel?: Cancel) {
      if (ms <= 0 || cancel?.aborted === true) return
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          cancel?.removeEventListener('abort', wake)
          resolve()
        }
        sleepers.add({ due: monotonic + ms, wake })
        cancel?.addEventListener('abort', wake)
      })
    },
    advance(ms) {
      wall += ms
      monotonic += ms
      wakeDue()
    },
    step(hand, ms) {
      if (hand === 'wall') wall += ms
      else monotonic += ms
      wakeDue()
    },
  }
}
