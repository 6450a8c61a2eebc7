import { describe, expect, it } from 'vitest'
import type { Steps } from '../../packages/core/src/bytes/finish.ts'
import { createTurns } from '../../packages/core/src/kernel/turns.ts'
import { fakeClock } from '../support/clock.ts'
import { later, turns as pass } from '../support/reconcile.ts'

/** A clock whose turns, its sleeps of 0 ms, are counted. */
function turningClock() {
  const clock = fakeClock()
  let turns = 0
  return {
    ...clock,
    sleep: async (ms: number) => {
      expect(ms).toBe(0)
      turns++
    },
    turns: () => turns,
  }
}

describe('sliced work', () => {
  it('lets others in after 4 ms of it, and not before', async () => {
    const clock = turningClock()
    const seen: number[] = []
    function* work(): Steps<string> {
      for (const ms of [3, 0.5, 0.5, 3, 1, 50, 3.9]) {
        clock.advance(ms)
        yield
        seen.push(clock.turns())
      }
      return 'done'
    }
    expect(await createTurns(clock)(work())).toBe('done')
    expect(seen).toEqual([0, 0, 1, 1, 2, 3, 3])
  })

  it('waits for what runs elsewhere, without a turn of its own', async () => {
    const clock = turningClock()
    const elsewhere = later<undefined>()
    let isDone = false
    function* work(): Steps<void> {
      yield elsewhere.promise
      isDone = true
    }
    const done = createTurns(clock)(work())
    await pass()
    expect(isDone).toBe(false)
    elsewhere.resolve(undefined)
    await done
    expect(isDone).toBe(true)
    expect(clock.turns()).toBe(0)
  })

  it('that fails, or waits for what fails, fails as it does', async () => {
    function* work(step: Promise<void> | undefined): Steps<void> {
      yield step
      throw new Error('of its own')
    }
    const turns = createTurns(turningClock())
    await expect(turns(work(undefined))).rejects.toThrow('of its own')
    await expect(turns(work(Promise.reject(new Error('elsewhere'))))).rejects.toThrow('elsewhere')
  })
})
