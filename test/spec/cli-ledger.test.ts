import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeHex } from '@helm-ai-kernel/core'
import { createProgress } from '../../packages/cli/src/progress.ts'
import { cliBench } from '../support/cli.ts'
import { key, ledgerFiles } from '../support/ledger.ts'
import { acme, activation, decision } from '../support/log-entries.ts'
import type { Files } from '../support/memory-disk.ts'

const bench = cliBench()
afterAll(bench.remove)

const segment = 'ledger/wal/0000000000000000'
let files: Files

function place(folder: string, all: Files): void {
  for (const [path, bytes] of all) {
    mkdirSync(dirname(join(bench.folder, folder, path)), { recursive: true })
    writeFileSync(join(bench.folder, folder, path), bytes)
  }
}

beforeAll(async () => {
  files = await ledgerFiles([activation(acme, 1), decision(acme, 1), decision(acme, 1)])
  place('data', files)
  bench.write('kept.note', files.get('ledger/checkpoint') ?? '')
})

const verify = (...more: readonly string[]) =>
  bench.run(['ledger', 'verify', '--data-dir', 'data', ...more])

describe('ledger verify', () => {
  it('passes a whole ledger, and names the pin that nobody gave', async () => {
    const { code, stdout, stderr } = await verify()
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/-\s+key_pinned\s+no key was given/)
    expect(stdout).toContain('\nPASS\n4 entries, root ')
  })

  it('takes the folder from HELM_DATA_DIR', async () => {
    const { code } = await bench.run(['ledger', 'verify'], { env: { HELM_DATA_DIR: 'data' } })
    expect(code).toBe(0)
  })

  it('gives the whole result as JSON', async () => {
    expect(await bench.json(['ledger', 'verify', '--data-dir', 'data'])).toMatchObject({
      verdict: 'PASS',
      counts: { entries: 4, scopes: 2 },
      tree: { size: 4 },
    })
  })

  it('holds a checkpoint, a receipt and a key from outside against it', async () => {
    const pinned = ['--key', encodeHex(key.publicKey), '--checkpoint', 'kept.note']
    expect((await verify(...pinned)).code).toBe(0)
    const other = await verify('--key', encodeHex(key.log.publicKey))
    expect(other.code).toBe(1)
    expect(other.stdout).toMatch(/fail\s+key_pinned/)
  })

  it('finds that receipts which somebody holds are gone', async () => {
    place('short', await ledgerFiles([activation(acme, 1)]))
    const args = ['ledger', 'verify', '--data-dir', 'short']
    const { code, stdout } = await bench.run([...args, '--checkpoint', 'kept.note'])
    expect(code).toBe(1)
    expect(stdout).toMatch(/fail\s+kept.note\s+is of 4 entries, the log has 2: entries are missing/)
    bench.write('held.json', JSON.stringify({ receipt_id: `rcpt-${'0'.repeat(64)}` }))
    const held = await bench.run([...args, '--receipt', 'held.json'])
    expect(held.code).toBe(1)
    expect(held.stdout).toMatch(/fail\s+receipts\s+rcpt-0{64} is not in the log/)
  })

  it.each([segment, 'ledger/checkpoint', 'ledger/tip'])(
    'is exit code 1 after one changed byte of %s',
    async (path) => {
      const bytes = files.get(path) ?? new Uint8Array()
      place('flipped', new Map([...files, [path, bytes.with(120, (bytes[120] ?? 0) ^ 1)]]))
      const { code, stdout } = await bench.run(['ledger', 'verify', '--data-dir', 'flipped'])
      expect(code).toBe(1)
      expect(stdout).toMatch(/^fail/m)
      expect(stdout).toContain('\nFAIL\n')
    },
  )
})

describe('progress', () => {
  const show = (isTty: boolean, seconds: readonly number[]): string => {
    let [shown, ms] = ['', 0]
    const io = {
      stdout: () => undefined,
      stderr: (text: string) => (shown += text),
      env: {},
      isTty,
      cwd: '/',
      readStdin: async () => new Uint8Array(),
    }
    const progress = createProgress(io, 'entries', () => ms)
    for (const second of seconds) {
      ms = second * 1000
      progress.tell(second * 10, 100)
    }
    progress.end()
    return shown
  }

  it('is quiet for a second', () => {
    expect(show(true, [0, 0.5, 0.9])).toBe('')
  })

  it('draws a bar in place for a person, with what is left, and clears it', () => {
    const shown = show(true, [0.5, 5])
    expect(shown).toMatch(/^\r\[#{12}\.{12}\] 50 of 100 entries, 10\/s, 5 s left\r +\r$/)
  })

  it('is a line now and then where nobody looks on', () => {
    expect(show(false, [2, 3, 4, 5]).split('\n')).toHaveLength(2)
  })
})
