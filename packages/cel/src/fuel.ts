import { failure } from './library.ts'
import { limits } from './limits.ts'

/**
 * What one evaluation may still do. Errors can be absorbed (`error || true` is true), so a meter that
 * ran dry stays dry, stops every further loop, and is looked at again after evaluation.
 */
export interface Meter {
  readonly left: number
  refill(): void
  /** Throws when there is less left. */
  spend(steps: number): void
}

export function createMeter(): Meter {
  let left = 0
  return {
    get left() {
      return left
    },
    refill() {
      left = limits.fuel
    },
    spend(steps) {
      left -= steps
      if (left < 0) throw failure
    },
  }
}

/** What it takes to read so many UTF-16 units once. */
export function stepsOf(units: number): number {
  return 1 + (units >>> 6)
}
