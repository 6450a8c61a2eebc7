import { version } from '@helm-ai-kernel/core'
import { type Command, commonFlags } from './command.ts'
import { table } from './print.ts'

export const program = 'helm-ai-kernel'

/** Every command by its full name, such as `bundle build`. */
export type Commands = Readonly<Record<string, Command>>

/** The longest name with which the words begin. */
export function nameOf(commands: Commands, words: readonly string[]): string | undefined {
  const names = [words.slice(0, 2).join(' '), words[0] ?? '']
  return names.find((name) => Object.hasOwn(commands, name))
}

/** Help for the command that the words name, or for all whose names they begin; undefined for none. */
export function helpOf(
  commands: Commands,
  words: readonly string[],
): readonly string[] | undefined {
  const name = nameOf(commands, words)
  const command = name === undefined ? undefined : commands[name]
  if (name !== undefined && command !== undefined) return helpOfOne(name, command)
  const names = Object.keys(commands).filter((one) =>
    `${one} `.startsWith([...words, ''].join(' ')),
  )
  return names.length === 0 ? undefined : helpOfMany(commands, names.sort(), words)
}

function helpOfOne(name: string, command: Command): readonly string[] {
  const flags = Object.entries({ ...command.flags, ...commonFlags })
  return [
    `${name}: ${command.summary}`,
    '',
    `usage: ${[program, name, command.usage].join(' ').trim()}`,
    '',
    ...table(
      flags.map(([flag, { value = '', summary, many }]) => [
        `  --${flag} ${value}`,
        many === true ? `${summary} (may be repeated)` : summary,
      ]),
    ),
    ...(command.details === undefined ? [] : ['', ...command.details]),
    '',
    'example:',
    `  ${program} ${command.example}`,
  ]
}

function helpOfMany(
  commands: Commands,
  names: readonly string[],
  words: readonly string[],
): readonly string[] {
  return [
    `${program} ${version}: decides whether an agent's action may happen, and leaves proof`,
    '',
    `usage: ${[program, ...words].join(' ')} <command> [flags]`,
    '',
    ...table(names.map((name) => [`  ${name}`, commands[name]?.summary ?? ''])),
    '',
    `${program} <command> --help says more. Exit codes: 0 done, 1 a negative result, 2 usage or fault.`,
  ]
}
