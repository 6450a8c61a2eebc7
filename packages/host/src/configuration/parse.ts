import { KernelError } from '@helm-ai-kernel/core'
import { contradictions } from './check.ts'
import type { Configuration } from './configuration.ts'
import type { Row } from './setting.ts'
import { settings } from './table.ts'
import { unknownNames } from './unknown.ts'

export interface ConfigurationInput {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Values by flag, such as `--port`; they beat the environment. */
  readonly flags?: Readonly<Record<string, string>>
  /** Kinds of policy source that this build has. */
  readonly sources: readonly string[]
}

export interface ParsedConfiguration {
  readonly configuration: Configuration
  /** Sentences about what was set and has no effect. */
  readonly warnings: readonly string[]
}

/**
 * Reads every setting of the table: flag before environment before default; an empty variable is one
 * that is not set. Throws one `CONFIG_INVALID` that lists all bad values, secrets masked.
 */
export function parseConfiguration(input: ConfigurationInput): ParsedConfiguration {
  const faults: string[] = []
  const warnings: string[] = []
  const values: Record<string, unknown> = {}
  for (const [key, setting] of Object.entries<Row & { readonly default?: string }>(settings)) {
    const given = textOf(setting, input)
    const standard = setting.default === undefined ? undefined : setting.kind.parse(setting.default)
    values[key] = standard
    if (given === undefined) continue
    const value = setting.kind.parse(given.text)
    if (value === undefined) faults.push(badValue(setting, given))
    else values[key] = value
    if (setting.ignored !== undefined && value !== standard) {
      warnings.push(`${given.name} has no effect: ${setting.ignored}`)
    }
  }
  // Each value has the type that its row says, and the table has a row for each member.
  const configuration = Object.freeze(values) as unknown as Configuration
  faults.push(...contradictions(configuration, input.sources))
  if (faults.length > 0) throw new KernelError('CONFIG_INVALID', messageOf(faults))
  return { configuration, warnings: [...warnings, ...unknownNames(input.environment)] }
}

interface Given {
  /** Of the variable or the flag. */
  readonly name: string
  readonly text: string
}

function textOf(setting: Row, { environment, flags = {} }: ConfigurationInput): Given | undefined {
  const { name, flag } = setting
  const argument = flag === undefined ? undefined : flags[flag]
  if (flag !== undefined && argument !== undefined) return { name: flag, text: argument }
  const text = environment[name]
  return text === undefined || text === '' ? undefined : { name, text }
}

function badValue({ kind, secret }: Row, { name, text }: Given): string {
  const shown = secret === true ? `${text.length} characters that are secret` : quoted(text)
  return `${name} must be ${kind.expected}; given was ${shown}`
}

/** A URL is shown without what may be secret in it: user, query and fragment. */
function quoted(given: string): string {
  const text = given.replace(/^(\w+:\/\/).*@/s, '$1…@').replace(/^(\w+:\/\/[^?#]*)[?#].*/s, '$1?…')
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
}

function messageOf(faults: readonly string[]): string {
  const count = faults.length === 1 ? 'a setting is wrong' : `${faults.length} settings are wrong`
  return [`${count}:`, ...faults].join('\n')
}
