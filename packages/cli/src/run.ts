import { KernelError } from '@helm-ai-kernel/core'
import { nearest } from '@helm-ai-kernel/host'
import type { Command } from './command.ts'
import { commandTable } from './commands/table.ts'
import { reportError } from './fault.ts'
import { type Commands, helpOf, nameOf, program } from './help.ts'
import type { Io } from './io.ts'
import { checkOperands, parseGiven } from './parse.ts'
import { print } from './print.ts'

/**
 * Runs one command line, without the program's name, and resolves to the exit code: 0 done, 1 a
 * negative result, 2 usage or fault. `extra` are commands that the program has beside those of this
 * package, such as `serve`. Never throws.
 */
export async function runCli(
  argv: readonly string[],
  io: Io,
  extra: Readonly<Record<string, Command>> = {},
): Promise<number> {
  const commands: Commands = { ...commandTable(() => commands), ...extra }
  try {
    return await runWords(commands, [...argv], io)
  } catch (error) {
    return reportError(io, error, argv.includes('--json'))
  }
}

const aliases: ReadonlyMap<string, string> = new Map([
  ['--help', 'help'],
  ['-h', 'help'],
  ['--version', 'version'],
])

async function runWords(
  commands: Commands,
  [first = '', ...rest]: readonly string[],
  io: Io,
): Promise<number> {
  const argv = [aliases.get(first) ?? first, ...rest]
  const flagsFrom = argv.findIndex((word) => word.startsWith('-'))
  const words = argv
    .slice(0, flagsFrom === -1 ? argv.length : flagsFrom)
    .filter((word) => word !== '')
  const name = nameOf(commands, words)
  const command = name === undefined ? undefined : commands[name]
  if (name !== undefined && command !== undefined) {
    const given = parseGiven(name, command, argv.slice(name.split(' ').length))
    if (given.flags.has('help')) return show(io, 'stdout', helpOf(commands, words))
    checkOperands(name, command, given)
    return command.run(given, io)
  }
  const help = helpOf(commands, words)
  if (help === undefined) throw unknownCommand(commands, words)
  // Whoever asked gets help as the answer; whoever named no command did something wrong.
  const asked = rest.some((word) => aliases.get(word) === 'help')
  return show(io, asked ? 'stdout' : 'stderr', help)
}

function show(io: Io, to: 'stdout' | 'stderr', help: readonly string[] = []): number {
  print(io, to, help)
  return to === 'stdout' ? 0 : 2
}

function unknownCommand(commands: Commands, words: readonly string[]): KernelError {
  const given = words.slice(0, 2).join(' ')
  const names = Object.keys(commands)
  const firsts = names.map((name) => name.split(' ')[0] ?? '')
  const meant = nearest(given, names) ?? nearest(words[0] ?? '', [...names, ...firsts])
  const hint = meant === undefined ? '' : `, did you mean ${meant}`
  return new KernelError(
    'USAGE_INVALID',
    `there is no command "${given}"${hint}; see ${program} --help`,
  )
}
