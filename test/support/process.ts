import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The committed entry point; the tests that run it need `npm run build` before. */
export const bin = fileURLToPath(
  new URL('../../adapters/node/bin/helm-ai-kernel.js', import.meta.url),
)

export interface Started {
  readonly pid: number
  stdout(): string
  stderr(): string
  /** The JSON lines of stdout. */
  lines(): readonly LogLine[]
  /** The first line of stdout whose message is, or begins with, this; rejects when the process ends. */
  line(message: string): Promise<LogLine>
  /** Resolves as soon as stdout or stderr holds the text; rejects when the process ends. */
  says(text: string): Promise<void>
  kill(signal: NodeJS.Signals): void
  /** Resolves to the exit code, or to the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
}

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly [field: string]: unknown
}

export interface StartOptions {
  readonly cwd: string
  /** All that the process sees of the environment, beside PATH. */
  readonly env?: Readonly<Record<string, string>>
}

const running = new Set<ChildProcess>()

/** Ends what a failed test left. */
export function endAll(): void {
  for (const child of running) child.kill('SIGKILL')
}

/** Starts the built program. */
export function start(args: readonly string[], { cwd, env = {} }: StartOptions): Started {
  const child = spawn(process.execPath, [bin, ...args], {
    cwd,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  const text = { stdout: '', stderr: '' }
  const listeners = new Set<() => void>()
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (piece: string) => {
      text[name] += piece
      for (const listener of listeners) listener()
    })
  }
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('close', (code, signal) => {
      running.delete(child)
      resolve(code ?? signal ?? -1)
    })
  })
  const lines = (): readonly LogLine[] =>
    text.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as LogLine)

  /** The first thing that `look` finds, now or after more output. */
  function found<T>(what: string, look: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const listener = (): void => {
        const result = look()
        if (result === undefined) return
        listeners.delete(listener)
        resolve(result)
      }
      listeners.add(listener)
      listener()
      void ended.then((code) => {
        listeners.delete(listener)
        reject(new Error(`ended with ${code} before "${what}":\n${text.stdout}\n${text.stderr}`))
      })
    })
  }

  return {
    pid: child.pid ?? 0,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    lines,
    line: (message) =>
      found(message, () => lines().find((line) => line.message.startsWith(message))),
    says: (what) =>
      found(what, () => ((text.stdout + text.stderr).includes(what) ? true : undefined)).then(
        () => undefined,
      ),
    kill: (signal) => void child.kill(signal),
    ended,
  }
}

/** Runs a command of the built program to its end. */
export async function runBin(
  args: readonly string[],
  options: StartOptions,
): Promise<{ code: number | NodeJS.Signals; stdout: string; stderr: string }> {
  const process = start(args, options)
  const code = await process.ended
  return { code, stdout: process.stdout(), stderr: process.stderr() }
}
