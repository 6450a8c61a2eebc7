import type { Io } from './io.ts'

/** Told how far work is, where the end may move away, and that it is done. */
export interface Progress {
  readonly tell: (done: number, atLeast: number) => void
  readonly end: () => void
}

const quiet = 1000
const width = 24

/**
 * Shows progress on stderr for work that takes over a second: a bar in place for a person, else a line
 * now and then. `now` is in ms. `end` clears the bar.
 */
export function createProgress(io: Io, what: string, now: () => number): Progress {
  const begun = now()
  const interval = io.isTty ? 100 : 10_000
  let next = begun + quiet
  let drawn = 0
  return {
    tell(done, atLeast) {
      const at = now()
      if (at < next) return
      next = at + interval
      const line = lineOf(what, done, atLeast, (at - begun) / 1000)
      io.stderr(io.isTty ? `\r${line.padEnd(drawn)}` : `${line}\n`)
      drawn = line.length
    },
    end() {
      if (io.isTty && drawn > 0) io.stderr(`\r${' '.repeat(drawn)}\r`)
    },
  }
}

function lineOf(what: string, done: number, atLeast: number, seconds: number): string {
  const share = atLeast === 0 ? 1 : Math.min(1, done / atLeast)
  const bar = '#'.repeat(Math.round(share * width)).padEnd(width, '.')
  const left = Math.ceil((seconds / Math.max(done, 1)) * (atLeast - done))
  const rate = Math.round(done / seconds)
  return `[${bar}] ${done} of ${atLeast} ${what}, ${rate}/s, ${left} s left`
}
