import type { PolicyStatus } from './status.ts'

/** What kind of end an attempt had: `hostile` is what no honest source sends. */
export type AttemptClass = 'good' | 'unreachable' | 'refused' | 'hostile'

/** One attempt to bring a scope to what its source says, for logs and metrics. */
export interface PolicyAttempt {
  readonly class: AttemptClass
  readonly status: PolicyStatus
}
