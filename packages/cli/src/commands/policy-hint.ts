import { resolve } from 'node:path'
import process from 'node:process'
import { type Clock, isKernelError, type JsonObject, timestamp } from '@helm-ai-kernel/core'
import { hostClock } from '@helm-ai-kernel/host'
import { type Command, type Given, valueOf } from '../command.ts'
import { folderChanges, isFolder } from '../folder-changes.ts'
import type { Io } from '../io.ts'
import { clientFlags } from '../kernel-client.ts'
import { usage } from '../parse.ts'
import { isReconciled, reconcileLine, scopeIn } from '../policy-status.ts'
import { createWaker } from '../policy-wake.ts'
import { print } from '../print.ts'

const name = 'policy hint'
const signals = ['SIGINT', 'SIGTERM'] as const
const firstPause = 1_000
const longestPause = 30_000

export const policyHint: Command = {
  summary: 'watch a folder, and wake a kernel when it changes; runs until a signal ends it',
  usage: '--watch DIR [--url URL] [--api-key-file FILE]',
  example: 'policy hint --watch /policy --url http://127.0.0.1:8080',
  flags: {
    watch: { value: 'DIR', summary: 'the folder, such as a mounted ConfigMap' },
    url: { ...clientFlags.url, summary: `${clientFlags.url.summary}; the internal port, if set` },
    'api-key-file': {
      value: 'FILE',
      summary: 'file with the service key, read for each hint; HELM_SERVICE_API_KEY when absent',
    },
  },
  operands: [0, 0],
  details: [
    'A hint brings no policy: the kernel reads its own source, and polls it without hints, too.',
    'With --json each line is a JSON document.',
  ],
  async run(given, io) {
    const over = new AbortController()
    const end = (): void => over.abort()
    for (const signal of signals) process.on(signal, end)
    try {
      await hint(given, io, hostClock, over.signal)
      return 0
    } finally {
      for (const signal of signals) process.off(signal, end)
    }
  },
}

/** Hints until `cancel`. Throws `USAGE_INVALID` at once; what goes wrong later is told and tried again. */
export async function hint(
  given: Given,
  io: Io,
  clock: Pick<Clock, 'now' | 'sleep'>,
  cancel: AbortSignal,
): Promise<void> {
  const watched = valueOf(given, 'watch')
  if (watched === undefined) throw usage(name, '--watch is missing: name the folder')
  const isOver = (): boolean => cancel.aborted
  const folder = resolve(io.cwd, watched)
  const there = await isFolder(folder)
  if (there === false) throw usage(name, '--watch is a folder, and that is a file')
  // Made anew for each hint, so that a key that was replaced is read.
  const waker = (): ReturnType<typeof createWaker> =>
    createWaker(name, given, io, ['HELM_SERVICE_API_KEY'])
  const { url } = await waker()
  const changes = await folderChanges(folder, clock, cancel)
  tell({ event: 'watching', folder, url }, `watching ${folder}, to wake ${url}`)
  if (there === undefined) tell({ event: 'absent' }, `warning ${folder} is not there yet`)
  for await (const _ of changes) await deliver()
  tell({ event: 'ended' }, 'ended')

  /** Again and again until it is taken. */
  async function deliver(): Promise<void> {
    for (let pause = firstPause; !isOver(); pause = Math.min(pause * 2, longestPause)) {
      try {
        const { statuses } = await (await waker()).wake(undefined, cancel)
        tellWoken(statuses)
        return
      } catch (error) {
        if (isOver()) return
        const code = isKernelError(error) ? error.code : 'INTERNAL'
        const reason = error instanceof Error ? error.message : String(error)
        const again = `tried again in ${pause / 1000} s`
        tell(
          { event: 'failed', code, reason, pause_ms: pause },
          `error ${code}: ${reason}; ${again}`,
        )
        await clock.sleep(pause, cancel)
      }
    }
  }

  /** One line, however many scopes there are: of one that did not end well, if any. */
  function tellWoken(statuses: readonly JsonObject[]): void {
    const status = statuses.find((one) => !isReconciled(one)) ?? statuses[0] ?? {}
    const scope = scopeIn(status)
    const ended = reconcileLine(status)
    const others = statuses.length > 1 ? ` (one of ${statuses.length} scopes)` : ''
    tell(
      { event: 'woken', scopes: statuses.length, scope, ended },
      `woken: ${scope} ${ended}${others}`,
    )
  }

  function tell(document: JsonObject, line: string): void {
    const time = timestamp(clock.now())
    const text = given.flags.has('json') ? JSON.stringify({ time, ...document }) : line
    print(io, 'stdout', [text])
  }
}
