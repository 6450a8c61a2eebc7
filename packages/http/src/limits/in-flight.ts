import type { Refusal } from '../problem.ts'

const overloaded: Refusal = {
  refused: 'OVERLOADED',
  detail: 'as many requests are in flight as HELM_MAX_IN_FLIGHT allows: try again',
  headers: { 'retry-after': '1' },
}

/** Runs work, or says why not. */
export type InFlight = <T>(work: () => T | Promise<T>) => Promise<T | Refusal>

/** Runs at most so many pieces of work at one moment, and refuses the rest at once. */
export function createInFlight(max: number, refusal: Refusal = overloaded): InFlight {
  let running = 0
  return async (work) => {
    if (running >= max) return refusal
    running++
    try {
      return await work()
    } finally {
      running--
    }
  }
}
