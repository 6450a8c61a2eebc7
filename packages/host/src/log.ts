import { type Clock, type Json, timestamp } from '@helm-ai-kernel/core'
import type { Configuration } from './configuration/index.ts'

/** Facts beside the sentence. Never a secret, never an argument of a request. */
export type Fields = Readonly<Record<string, Json | undefined>>

type Write = (message: string, fields?: Fields) => void

/** One line for each event. */
export interface Log {
  readonly debug: Write
  readonly info: Write
  readonly warn: Write
  readonly error: Write
}

export interface LogOptions {
  readonly level: Configuration['logLevel']
  readonly format: Configuration['logFormat']
  readonly clock: Pick<Clock, 'now'>
  /** Takes one line, its newline included. */
  readonly write: (line: string) => void
}

const levels = ['debug', 'info', 'warn', 'error'] as const

export function createLog({ level, format, clock, write }: LogOptions): Log {
  const line = format === 'json' ? jsonLine : textLine
  const at = (own: Configuration['logLevel']): Write =>
    levels.indexOf(own) < levels.indexOf(level)
      ? () => undefined
      : (message, fields = {}) => write(line(timestamp(clock.now()), own, message, fields))
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** A writer that says the same sentence again only after a minute. */
export function sparing(write: Write, clock: Pick<Clock, 'monotonic'>): (message: string) => void {
  const said = new Map<string, number>()
  return (message) => {
    const now = clock.monotonic()
    if (now < (said.get(message) ?? -Infinity) + 60_000) return
    if (said.size >= 100) said.clear()
    said.set(message, now)
    write(message)
  }
}

function jsonLine(time: string, level: string, message: string, fields: Fields): string {
  return `${JSON.stringify({ time, level, message, ...fields })}\n`
}

function textLine(time: string, level: string, message: string, fields: Fields): string {
  const facts = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${plain(value)}`)
  return `${time.slice(11, -1)} ${level.padEnd(5)} ${plain(message)}${facts.join('')}\n`
}

/** As JSON where a person could not tell where it ends, or where it could move the cursor. */
function plain(value: Json | undefined): string {
  const isPlain = typeof value === 'string' && /^[\x20-\x7e\u00a1-\ud7ff]*$/u.test(value)
  return isPlain ? value : JSON.stringify(value)
}
