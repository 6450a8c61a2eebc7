import { spawn } from 'node:child_process'
import { openSync, readFileSync } from 'node:fs'

/** A server of the test. */
export interface Daemon {
  stop(): Promise<void>
}

const running = new Set<() => void>()
process.once('exit', () => {
  for (const kill of running) kill()
})

/** Starts a server and resolves when `isReady`; ends it and rejects with its log when it does not. */
export async function start(
  file: string,
  args: readonly string[],
  log: string,
  isReady: () => Promise<boolean>,
): Promise<Daemon> {
  const output = openSync(log, 'a')
  const child = spawn(file, args, { stdio: ['ignore', output, output] })
  const kill = (): void => void child.kill('SIGKILL')
  running.add(kill)
  const ended = new Promise<void>((resolve) => {
    child.once('close', resolve)
    child.once('error', () => resolve())
  })
  const stop = async (): Promise<void> => {
    kill()
    await ended
    running.delete(kill)
  }
  const deadline = Date.now() + 120_000
  while (child.exitCode === null && Date.now() < deadline) {
    if (await isReady().catch(() => false)) return { stop }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  await stop()
  throw new Error(`${file} did not become ready:\n${readFileSync(log, 'utf8').slice(-4000)}`)
}
