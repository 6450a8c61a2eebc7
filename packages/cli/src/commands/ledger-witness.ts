import process from 'node:process'
import {
  type Cancel,
  type Clock,
  encodeHex,
  isKernelError,
  type JsonObject,
  parseDuration,
  timestamp,
} from '@helm-ai-kernel/core'
import type { Witnessed } from '@helm-ai-kernel/core/log'
import { hostClock } from '@helm-ai-kernel/host'
import { type Command, type Given, valueOf } from '../command.ts'
import { remedyFor } from '../fault.ts'
import type { Io } from '../io.ts'
import { clientFlags } from '../kernel-client.ts'
import { logKeyFlags } from '../log-keys.ts'
import { usage } from '../parse.ts'
import { print } from '../print.ts'
import { type Refused, witnessRound } from '../witness-round.ts'
import { lockState, watchIn } from '../witness-watch.ts'

const name = 'ledger witness'
const signals = ['SIGINT', 'SIGTERM'] as const

export const ledgerWitness: Command = {
  summary:
    'watch the log of a kernel from outside: cosign what continues it, shout at what does not',
  usage: '--log-key KEY --key-file FILE --name NAME --state FILE [--once] [flags]',
  example:
    'ledger witness --log-key "$LOG_VKEY" --key-file witness.key --name witness.example/w1 --state seen.note',
  flags: {
    ...logKeyFlags,
    'key-file': { value: 'FILE', summary: 'seed of the witness, by keygen; no key of the kernel' },
    name: { value: 'NAME', summary: 'what the witness is called, such as witness.example/w1' },
    state: { value: 'FILE', summary: 'keeps the newest checkpoint, cosigned' },
    out: { value: 'FILE', summary: 'puts it here, too, for others to read' },
    checkpoint: { value: 'FILE', summary: 'begins from this one while there is no --state yet' },
    every: { value: 'DURATION', summary: '30s when absent' },
    once: { summary: 'look once; exit code 1 when the log shows what it must not' },
    ...clientFlags,
  },
  operands: [0, 0],
  details: [
    'Once it has seen a checkpoint, it cosigns only what the log proves to continue it; nothing else',
    'ever replaces --state. After a change of the log key, give the new one as a further --log-key.',
    'Without --once it runs until a signal ends it; with --json each line is a JSON document.',
  ],
  async run(given, io) {
    const over = new AbortController()
    const end = (): void => over.abort()
    for (const signal of signals) process.on(signal, end)
    try {
      return await watchLog(given, io, hostClock, over.signal)
    } finally {
      for (const signal of signals) process.off(signal, end)
    }
  },
}

/** Looks until `cancel`, or once. Resolves to 1 when the log ever showed what it must not. */
export async function watchLog(
  given: Given,
  io: Io,
  clock: Pick<Clock, 'now' | 'sleep'>,
  cancel: Cancel,
): Promise<number> {
  const every = parseDuration(valueOf(given, 'every') ?? '30s') ?? 0
  if (every < 1000) throw usage(name, '--every is a duration of 1s at least, such as 30s')
  const watch = await watchIn(name, given, io)
  const once = given.flags.has('once')
  const held = await lockState(io, watch.state, clock)
  const { vkey } = watch
  if (!once) tell({ event: 'watching', witness: vkey }, `watching ${watch.self.origin} as ${vkey}`)
  let code = 0
  try {
    while (!cancel.aborted) {
      if ((await look()) === 'refused') code = 1
      if (once) break
      await clock.sleep(every, cancel)
    }
  } finally {
    await held.release()
  }
  return code

  async function look(): Promise<'refused' | undefined> {
    try {
      const seen = await witnessRound(watch, io, clock)
      if ('error' in seen) {
        shout(seen)
        return 'refused'
      }
      tellSeen(seen)
    } catch (error) {
      if (once || !isKernelError(error)) throw error
      tell({ event: 'failed', code: error.code, reason: error.message })
      print(io, 'stderr', [
        `error ${error.code}: ${error.message}; tried again in ${every / 1000} s`,
      ])
    }
    return undefined
  }

  function tellSeen({ note, checkpoint, since }: Witnessed): void {
    const { origin, size, root } = checkpoint
    const before = since?.size
    if (before === undefined) {
      const warning = `warning the first checkpoint of ${origin} is taken on trust`
      print(io, 'stderr', [`${warning}; --checkpoint begins from one that is known`])
    }
    tell(
      {
        event: 'cosigned',
        witness: vkey,
        origin,
        size,
        since: before ?? null,
        root: encodeHex(root),
        note: new TextDecoder().decode(note),
      },
      `cosigned ${size} entries of ${origin}${before === undefined ? '' : `, since ${before}`}`,
    )
  }

  /** All that is needed to show it to others. */
  function shout({ error, last, next }: Refused): void {
    const notes = { last: textOf(last), next: textOf(next) }
    const { code, message } = error
    tell({ event: 'refused', code, reason: message, ...notes })
    const fix = remedyFor(code)
    print(io, 'stderr', [
      `error ${code}: ${message}; it was not cosigned, and ${watch.state} is as it was`,
      ...(fix === undefined ? [] : [`fix: ${fix}`]),
      ...quoted('seen', notes.last),
      ...quoted('shown', notes.next),
    ])
  }

  function tell(document: JsonObject, line?: string): void {
    if (given.flags.has('json')) {
      print(io, 'stdout', [JSON.stringify({ time: timestamp(clock.now()), ...document })])
    } else if (line !== undefined) print(io, 'stdout', [line])
  }
}

function textOf(note: Uint8Array | undefined): string | null {
  return note === undefined ? null : new TextDecoder().decode(note)
}

function quoted(what: string, note: string | null): readonly string[] {
  return note === null ? [] : [`${what}:`, ...note.split('\n').map((line) => `  ${line}`)]
}
