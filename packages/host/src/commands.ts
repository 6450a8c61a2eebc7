import { configurationHelp, settings } from './configuration/index.ts'
import { runDev } from './dev/run-dev.ts'
import { type CommandIo, runServe } from './run-serve.ts'
import type { Runtime } from './runtime.ts'

/** A command in the form that the CLI takes. */
export interface HostCommand {
  readonly summary: string
  readonly usage: string
  readonly example: string
  readonly flags: Readonly<Record<string, { readonly summary: string; readonly value: string }>>
  readonly operands: readonly [0, 0]
  readonly details?: readonly string[]
  run(given: HostGiven, io: CommandIo): Promise<number>
}

export interface HostGiven {
  readonly flags: ReadonlyMap<string, readonly string[]>
}

const { port, bindAddr, dataDir, policyPath } = settings

/** The commands that run a server on `runtime`: the CLI has the others. */
export function hostCommands(runtime: Runtime): Readonly<Record<'serve' | 'dev', HostCommand>> {
  return {
    serve: {
      summary: 'run the server until a signal ends it',
      usage: '[--port N] [--addr A] [--data-dir DIR] [--policy PATH]',
      example: 'serve --policy ./policy --data-dir ./data',
      flags: {
        port: { value: 'N', summary: port.about },
        addr: { value: 'ADDRESS', summary: bindAddr.about },
        'data-dir': { value: 'DIR', summary: dataDir.about },
        policy: { value: 'PATH', summary: policyPath.about },
      },
      operands: [0, 0],
      details: [
        'settings from the environment; a flag beats its variable, an empty variable is not set:',
        ...configurationHelp(),
      ],
      run: (given, io) => runServe(flagsOf(given), io, runtime),
    },
    dev: {
      summary: 'run the server for development: keys, policy and ledger in .helm, loopback only',
      usage: '[--port N] [--data-dir DIR]',
      example: 'dev',
      flags: {
        port: { value: 'N', summary: port.about },
        'data-dir': { value: 'DIR', summary: dataDir.about },
      },
      operands: [0, 0],
      run: (given, io) => runDev(flagsOf(given), io, runtime),
    },
  }
}

/** By the names that the table of settings has for them. */
function flagsOf({ flags }: HostGiven): Readonly<Record<string, string>> {
  const given = [...flags].filter(([name]) => !['help', 'json'].includes(name))
  return Object.fromEntries(given.map(([name, [value = '']]) => [`--${name}`, value]))
}
