import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { signer } from '@helm-ai-kernel/core'
import {
  claimedCheckpoint,
  formatVerifierKey,
  openNote,
  parseVerifierKey,
  signCheckpoint,
} from '@helm-ai-kernel/core/log'
import type { Io } from '@helm-ai-kernel/cli'
import { watchLog } from '../../packages/cli/src/commands/ledger-witness.ts'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { cliBench, type Outcome, serveApp } from '../support/cli.ts'
import { keys } from '../support/http.ts'
import { kernelSigner } from '../support/kernel.ts'
import { type LogServer, logServer, logVkey } from '../support/log-server.ts'
import { logOrigin } from '../support/published.ts'

const bench = cliBench()
afterAll(bench.remove)

const seed = '4d'.repeat(32)
const name = 'witness.example/w1'
const publicKey = signer(Uint8Array.from(Buffer.from(seed, 'hex'))).publicKey
const vkey = formatVerifierKey({ kind: 'cosigner', name, publicKey }, crypto)
const foreign = formatVerifierKey(
  { name: 'other.example/log', publicKey: kernelSigner.log.publicKey },
  crypto,
)
const newLog = crypto.signer(new Uint8Array(32).fill(5))

/** The log, and another that calls itself the same, with the same key: an operator's second history. */
let server: LogServer
let twin: LogServer
beforeAll(async () => {
  bench.write('witness.key', `${seed}\n`)
  server = await logServer()
  twin = await logServer('two')
  await server.decide(30)
  await twin.decide(40)
  await twin.log.publish()
})
afterAll(() => {
  server.close()
  twin.close()
})

beforeEach(() => server.log.publish(20))
afterEach(() => rmSync(join(bench.folder, 'seen.note'), { force: true }))

const given = ['--log-key', logVkey, '--key-file', 'witness.key', '--name', name]
const state = ['--state', 'seen.note']
const env = { HELM_API_KEY: keys.reader }
const look = (more: readonly string[] = [], url = server.url) =>
  bench.run(['ledger', 'witness', '--url', url, ...given, ...state, '--once', ...more], { env })
const isThere = (file: string) => existsSync(join(bench.folder, file))

describe('ledger witness --once', () => {
  it('takes the first checkpoint, says that it trusts it, and keeps it cosigned', async () => {
    const { code, stdout, stderr } = await look()
    expect(code).toBe(0)
    expect(stdout).toBe(`cosigned 20 entries of ${logOrigin}\n`)
    expect(stderr).toMatch(/^warning the first checkpoint of .* is taken on trust/)
    const verifiers = [parseVerifierKey(logVkey, crypto), parseVerifierKey(vkey, crypto)]
    expect(openNote(bench.read('seen.note'), verifiers, crypto).verified).toHaveLength(2)
  })

  it('cosigns what continues it, without a warning, also for others to read', async () => {
    await look()
    await server.log.publish(30)
    const { code, stdout, stderr } = await look(['--out', 'public/checkpoint'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toBe(`cosigned 30 entries of ${logOrigin}, since 20\n`)
    expect(bench.read('public/checkpoint')).toEqual(bench.read('seen.note'))
  })

  it('is one document with --json', async () => {
    const document = await bench.json(
      ['ledger', 'witness', '--url', server.url, ...given, ...state, '--once'],
      { env },
    )
    expect(document).toMatchObject({ event: 'cosigned', witness: vkey, size: 20, since: null })
    expect(document['note']).toBe(bench.text('seen.note'))
  })

  it('begins from a checkpoint that is known, and then from what it has seen', async () => {
    bench.write('known.note', (await twin.log.checkpoint()) ?? '')
    const wrong = await look(['--checkpoint', 'known.note'])
    expect(wrong.code).toBe(1)
    expect(isThere('seen.note')).toBe(false)
    bench.write('known.note', await server.log.publish(10))
    await server.log.publish(20)
    const right = await look(['--checkpoint', 'known.note'])
    expect(right).toMatchObject({ code: 0, stderr: '' })
    await server.log.publish(9)
    expect((await look(['--checkpoint', 'known.note'])).code).toBe(1)
  })

  it.each([
    ['LOG_ROLLED_BACK', 'the log is put back', () => server, 19],
    ['LOG_EQUIVOCATED', 'another log of the same size takes its place', () => twin, 20],
    ['LOG_FORKED', 'another, longer log takes its place', () => twin, 40],
  ] as const)('shouts %s when %s, and keeps what it has seen', async (error, _, shown, size) => {
    await look()
    const kept = bench.text('seen.note')
    await shown().log.publish(size)
    for (let round = 0; round < 2; round++) {
      const { code, stdout, stderr } = await look([], shown().url)
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toMatch(new RegExp(`^error ${error}: `))
      // Both notes, so that they can be shown to others.
      expect(stderr.match(new RegExp(`^ {2}${logOrigin}$`, 'gm'))).toHaveLength(2)
      expect(bench.text('seen.note')).toBe(kept)
    }
  })

  it('refuses what another key signed, until it is given that key', async () => {
    await look()
    const { size, root } = claimedCheckpoint(await server.log.publish(30))
    const note = signCheckpoint({ origin: logOrigin, size, root }, newLog, crypto)
    const rotated = await serveApp({
      fetch: async (request) =>
        request.url.endsWith('/checkpoint') ? new Response(note) : server.app.fetch(request),
    })
    const before = await look([], rotated.url)
    const newKey = { name: logOrigin, publicKey: newLog.publicKey }
    const after = await look(['--log-key', formatVerifierKey(newKey, crypto)], rotated.url)
    rotated.close()
    expect(before.code).toBe(1)
    expect(before.stderr).toMatch(/^error KEY_UNTRUSTED: /)
    expect(after).toMatchObject({ code: 0, stderr: '' })
  })

  it('is a fault when nothing answers, or there is no checkpoint yet', async () => {
    const empty = await logServer()
    const none = await look([], empty.url)
    empty.close()
    expect(none.code).toBe(2)
    expect(none.stderr).toMatch(/^error NOT_FOUND: /)
    const nobody = await look([], 'http://127.0.0.1:1')
    expect(nobody.code).toBe(2)
    expect(isThere('seen.note')).toBe(false)
  })

  it('is a fault when what it kept is not its own', async () => {
    for (const wrong of ['', 'hello\n', bench.text('witness.key')]) {
      bench.write('seen.note', wrong)
      const { code, stderr } = await look()
      expect(code).toBe(2)
      expect(stderr).toMatch(/^error FILE_UNUSABLE: seen\.note is no checkpoint of /)
      expect(bench.text('seen.note')).toBe(wrong)
    }
  })

  it('is a fault when it is to begin from what the log never signed', async () => {
    const head = { origin: logOrigin, size: 10, root: new Uint8Array(32) }
    bench.write('forged.note', signCheckpoint(head, newLog, crypto))
    const { code, stderr } = await look(['--checkpoint', 'forged.note'])
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error FILE_UNUSABLE: --checkpoint is no checkpoint of /)
    expect(isThere('seen.note')).toBe(false)
  })

  it('cosigns nothing that it cannot keep', async () => {
    mkdirSync(join(bench.folder, 'taken'))
    const { code, stdout } = await look(['--out', 'taken'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    const args = ['--state', 'taken', '--out', 'never', '--once', '--url', server.url]
    const other = await bench.run(['ledger', 'witness', ...given, ...args], { env })
    expect({ code: other.code, stdout: other.stdout }).toEqual({ code: 2, stdout: '' })
    expect(isThere('never')).toBe(false)
  })
})

describe('ledger witness', () => {
  /** Runs it until the steps, one a pause, are done. */
  async function run(steps: readonly (() => unknown)[], more: readonly [string, string][] = []) {
    const over = new AbortController()
    const waiting = [...steps]
    let [stdout, stderr] = ['', '']
    const io: Io = {
      stdout: (text) => (stdout += text),
      stderr: (text) => (stderr += text),
      env,
      isTty: false,
      cwd: bench.folder,
      readStdin: async () => new Uint8Array(),
    }
    const flags = new Map(
      [
        ['url', server.url],
        ['log-key', logVkey],
        ['key-file', 'witness.key'],
        ['name', name],
        ['state', 'seen.note'],
        ...more,
      ].map(([flag = '', value = '']) => [flag, [value]]),
    )
    const sleep = async () => {
      const step = waiting.shift()
      if (step === undefined) over.abort()
      else await step()
    }
    const code = await watchLog({ operands: [], flags }, io, { now: () => 0, sleep }, over.signal)
    return { code, stdout, stderr }
  }

  it('goes on looking, and ends without a fault when all was well', async () => {
    const { code, stdout } = await run([() => server.log.publish(25), () => server.log.publish(30)])
    expect(code).toBe(0)
    expect(stdout.split('\n').slice(1, -1)).toEqual([
      `cosigned 20 entries of ${logOrigin}`,
      `cosigned 25 entries of ${logOrigin}, since 20`,
      `cosigned 30 entries of ${logOrigin}, since 25`,
    ])
  })

  it('shouts in every round, and does not forget it when the log comes back', async () => {
    const nothing = () => undefined
    const { code, stderr, stdout } = await run([
      () => server.log.publish(10),
      nothing,
      () => server.log.publish(21),
    ])
    expect(code).toBe(1)
    expect(stderr.match(/^error LOG_ROLLED_BACK: /gm)).toHaveLength(2)
    expect(stdout).toContain('cosigned 21 entries')
  })

  it('tries again what is no fault of the log', async () => {
    const { code, stderr } = await run([], [['url', 'http://127.0.0.1:1']])
    expect(code).toBe(0)
    expect(stderr).toMatch(/^error KERNEL_UNREACHABLE: .*; tried again in 30 s\n$/)
  })

  it('has its state for itself', async () => {
    const { code, stderr } = await new Promise<Outcome>((resolve) => {
      void run([async () => resolve(await look())])
    })
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error FILE_UNUSABLE: .*is in use by process \d+/)
  })

  it.each([
    ['no key of the log', ['--log-key'], /--log-key is missing/],
    ['no key of its own', ['--key-file'], /--key-file is missing/],
    ['no name', ['--name'], /--name is missing/],
    ['no state', ['--state'], /--state is missing/],
  ])('is refused with %s', async (_, [left = ''], message) => {
    const all = [...given, ...state]
    const at = all.indexOf(left)
    const { code, stderr } = await bench.run(['ledger', 'witness', ...all.toSpliced(at, 2)])
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
  })

  it.each([
    ['a name with a space', ['--name', 'a b'], /--name is of/],
    ['no pause', ['--every', '0s'], /--every/],
    ['a pause that is none', ['--every', 'soon'], /--every/],
    ['a witness’s key for the log', ['--log-key', vkey], /is a witness's, not a log's/],
    ['keys of two logs', ['--log-key', foreign], /keys are of two logs/],
    ['its own seed to overwrite', ['--out', 'witness.key'], /witness\.key is the seed/],
  ])('is refused with %s', async (_, more, message) => {
    const own = more[0] === '--name' ? given.slice(0, 4) : given
    const { code, stderr } = await bench.run(['ledger', 'witness', ...own, ...state, ...more])
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
  })

  it('is refused with the seed of the kernel, or the log key itself', async () => {
    bench.write('kernel.key', '07'.repeat(32))
    const own = ['--log-key', logVkey, '--key-file', 'kernel.key', '--name', name, ...state]
    const { code, stderr } = await bench.run(['ledger', 'witness', ...own, '--once'])
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error KEY_INVALID: kernel\.key is the seed of the kernel/)
  })
})
