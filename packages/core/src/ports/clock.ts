/** The part of an AbortSignal that the core needs; every AbortSignal satisfies it. */
export interface Cancel {
  readonly aborted: boolean
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** Time. Wall time may be stepped by people; monotonic time may not, and need not run in sleep. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  now(): number
  /** Milliseconds since some fixed moment of this process; never falls. */
  monotonic(): number
  /** Resolves after `ms` milliseconds, or at once when `cancel` aborts. */
  sleep(ms: number, cancel?: Cancel): Promise<void>
}
