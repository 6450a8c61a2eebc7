import { hostClock } from './clock.ts'
import { parseConfiguration } from './configuration/index.ts'
import { createLog } from './log.ts'
import type { Runtime } from './runtime.ts'
import { serve } from './server.ts'
import { hostSources } from './source/sources.ts'
import { untilSignal } from './until-signal.ts'

/** What a command has of the world. */
export interface CommandIo {
  stdout(text: string): void
  stderr(text: string): void
  /** Where relative paths begin. */
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** How long a server that was asked to end still serves: until others have seen it is not ready. */
export const drainGrace = 5_000

/**
 * `serve`: runs the server that the configuration describes until a signal ends it. Resolves to the
 * exit code; throws a KernelError that says what to correct.
 */
export async function runServe(
  flags: Readonly<Record<string, string>>,
  io: CommandIo,
  runtime: Runtime,
): Promise<number> {
  const { configuration, warnings } = parseConfiguration({
    environment: io.env,
    flags,
    sources: Object.keys({ ...hostSources, ...runtime.sources }),
  })
  const { logLevel: level, logFormat: format } = configuration
  const log = createLog({ level, format, clock: hostClock, write: (line) => io.stdout(line) })
  for (const warning of warnings) log.warn(warning)
  return untilSignal(
    runtime,
    () => serve(configuration, runtime, log),
    () => drainGrace,
  )
}
