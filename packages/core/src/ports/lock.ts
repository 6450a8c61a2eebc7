/** Who holds a lock. */
export interface Holder {
  readonly pid: number
  readonly host: string
  /** RFC 3339 UTC with milliseconds. */
  readonly since: string
}

export interface Held {
  /** Throws a KernelError `LEDGER_LOCKED` when the lock is no longer this owner's. */
  check(): Promise<void>
  release(): Promise<void>
}

/** Mutual exclusion between processes on one machine. */
export interface Lock {
  /** Takes the lock at `path`, or says who holds it. */
  acquire(path: string, who: Holder): Promise<Held | { readonly heldBy: Holder }>
}
