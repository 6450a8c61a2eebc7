import { parseArgs } from 'node:util'
import { KernelError } from '@helm-ai-kernel/core'
import { nearest } from '@helm-ai-kernel/host'
import { type Command, commonFlags, type Given } from './command.ts'

/**
 * Reads what follows a command's name. Throws `USAGE_INVALID`; no message repeats a value, since it
 * may be a secret that was meant for a file.
 */
export function parseGiven(name: string, command: Command, argv: readonly string[]): Given {
  const table = { ...commonFlags, ...command.flags }
  const options = Object.entries(table).map(([flag, { value }]) => {
    const type = value === undefined ? ('boolean' as const) : ('string' as const)
    return [flag, { type, ...(flag === 'help' && { short: 'h' }) }] as const
  })
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    tokens: true,
    options: Object.fromEntries(options),
  })
  const operands: string[] = []
  const flags = new Map<string, readonly string[]>()
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value)
    if (token.kind !== 'option') continue
    const { name: flag, rawName, value, inlineValue } = token
    const known = Object.hasOwn(table, flag) ? table[flag] : undefined
    if (known === undefined) throw usage(name, unknownFlag(rawName, Object.keys(table)))
    if (known.value === undefined && value !== undefined) {
      throw usage(name, `${rawName} takes no value`)
    }
    // The next flag is no value; whoever means it writes --flag=--value.
    const isFlag = value !== undefined && !inlineValue && value.startsWith('--')
    if (known.value !== undefined && (value === undefined || isFlag)) {
      throw usage(name, `${rawName} needs a value: ${rawName} ${known.value}`)
    }
    const before = flags.get(flag) ?? []
    if (before.length > 0 && known.many !== true) throw usage(name, `${rawName} stands twice`)
    flags.set(flag, [...before, value ?? ''])
  }
  return { operands, flags }
}

/** Throws `USAGE_INVALID` when there are too few or too many operands. */
export function checkOperands(name: string, command: Command, { operands }: Given): void {
  const [least, most] = command.operands
  if (operands.length < least) throw usage(name, `something is missing: ${command.usage}`)
  if (operands.length > most) {
    const after = most === 0 ? 'its name' : `"${operands[most - 1] ?? ''}"`
    throw usage(name, `there is too much after ${after}`)
  }
}

export function usage(name: string, message: string): KernelError {
  return new KernelError('USAGE_INVALID', `${name}: ${message}; see ${name} --help`)
}

function unknownFlag(rawName: string, names: readonly string[]): string {
  const meant = nearest(rawName.replace(/^-+/, ''), names)
  return `there is no flag ${rawName}${meant === undefined ? '' : `, did you mean --${meant}`}`
}
