import type { Runtime, Signal } from './runtime.ts'
import type { Running } from './server.ts'

/**
 * Runs a server until a signal asks it to end; resolves to the exit code 0 when it has. A second
 * signal ends the process at once, which is safe: every acknowledged receipt is on disk. Rejects when
 * the server does not start.
 */
export async function untilSignal(
  runtime: Runtime,
  start: () => Promise<Running>,
  graceOf: (signal: Signal) => number,
): Promise<number> {
  let ask: (signal: Signal) => void = () => undefined
  const asked = new Promise<Signal>((resolve) => (ask = resolve))
  let signals = 0
  const forget = runtime.onSignal((signal) => {
    if (++signals > 1) runtime.exit(1)
    ask(signal)
  })
  try {
    const running = await start()
    await running.close(graceOf(await asked))
    return 0
  } finally {
    forget()
  }
}
