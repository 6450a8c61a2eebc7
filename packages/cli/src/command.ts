import type { Io } from './io.ts'

/** One command: all that help, completion and the parser of its arguments need, and what it does. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string
  /** What follows the name, such as `<policy> [flags]`. */
  readonly usage: string
  /** A command line that works, without the program's name. */
  readonly example: string
  readonly flags: Readonly<Record<string, Flag>>
  /** How many arguments that are no flags it takes. */
  readonly operands: readonly [least: number, most: number]
  /** Lines of help beyond the flags. */
  readonly details?: readonly string[]
  /** Resolves to the exit code: 0 done, 1 a negative result, 2 usage or fault. */
  run(given: Given, io: Io): Promise<number>
}

export interface Flag {
  readonly summary: string
  /** What its value is called in help, such as `FILE`. Absent: it takes none. */
  readonly value?: string
  /** Whether it may stand more than once. */
  readonly many?: boolean
}

/** The arguments of one call, checked against the command's table. */
export interface Given {
  readonly operands: readonly string[]
  /** Values by name, in order; a flag that takes no value has one that is empty. */
  readonly flags: ReadonlyMap<string, readonly string[]>
}

/** The flags that every command has. */
export const commonFlags: Readonly<Record<string, Flag>> = {
  help: { summary: 'show this' },
  json: { summary: 'answer with one JSON document on stdout' },
}

/** The value of a flag that stands at most once. */
export function valueOf(given: Given, name: string): string | undefined {
  return given.flags.get(name)?.[0]
}
