/** One figure of one process; the runner takes medians over several. */
export interface Figure {
  readonly id: string
  readonly what: string
  readonly rules?: number
  readonly value: number
  readonly limit?: { readonly sense: '≤' | '≥'; readonly value: number }
  /** `ratio`, or what `value` counts. */
  readonly unit: string
}

export function report(figures: readonly Figure[]): void {
  process.stdout.write(JSON.stringify(figures))
}

/** Milliseconds that `work` takes. */
export function timed(work: () => unknown): number {
  const begun = performance.now()
  work()
  return performance.now() - begun
}
