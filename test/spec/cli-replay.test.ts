import { join } from 'node:path'
import { createKernel, encodeHex, type Json, signer } from '@helm-ai-kernel/core'
import { encodeBundle } from '@helm-ai-kernel/core/bundle'
import { fileKeep, hostClock, hostRandom, nodeCrypto, nodeDisk } from '@helm-ai-kernel/host'
import { openLedger } from '@helm-ai-kernel/ledger'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cliBench, type Outcome } from '../support/cli.ts'
import { sampleRules, signedBundle, trust } from '../support/kernel.ts'
import { memoryLock } from '../support/memory-lock.ts'
import { scope } from '../support/policy.ts'

const seed = new Uint8Array(32).fill(5)
const own = signer(seed, nodeCrypto)
const bench = cliBench()
afterAll(bench.remove)

const stricter: readonly Json[] = [
  { id: 'allow-read', effect: 'ALLOW', actions: ['ticket.read'] },
  {
    id: 'no-big-refund',
    effect: 'DENY',
    actions: ['refund.create'],
    when: { path: 'args.amount', op: 'gt', value: 100 },
  },
  { id: 'ask-refund', effect: 'ESCALATE', actions: ['refund.create'] },
]

/** A kernel's life in a data directory, with these refunds decided; arguments are stored or not. */
async function live(folder: string, store: boolean, amounts: readonly number[]): Promise<void> {
  const disk = nodeDisk(join(bench.folder, folder))
  const host = { clock: hostClock, random: hostRandom, crypto: nodeCrypto }
  const who = { pid: 1, host: 'test', since: '2026-11-22T06:00:00.000Z' }
  const ledger = await openLedger({ ...host, disk, lock: memoryLock(), who, log: own.log })
  try {
    const kernel = createKernel({
      ...{ ...host, trust, store: ledger, signer: own },
      ...(store && { args: fileKeep(disk) }),
    })
    const { bytes, signature } = signedBundle()
    await kernel.install(bytes, signature)
    for (const amount of amounts) {
      const request = { principal: 'agent:a', action: 'refund.create', resource: 'order:1' }
      await kernel.decide({ ...request, args: { amount } })
    }
  } finally {
    await ledger.close()
  }
}

beforeAll(async () => {
  bench.write('receipt.key', encodeHex(seed))
  bench.write('same.bundle', encodeBundle({ rules: sampleRules }, { scope, policyEpoch: 2 }))
  bench.write('policy.json', JSON.stringify({ rules: stricter }))
  await live('data', true, [5, 500])
  await live('data', false, [7])
  await live('bare', false, [5])
})

const replay = (...args: readonly string[]): Promise<Outcome> =>
  bench.run(['replay', '--data-dir', 'data', '--signing-key-file', 'receipt.key', ...args])

describe('replay', () => {
  it('shows the verdicts that a policy would change, and what it could not ask', async () => {
    const { code, stdout, stderr } = await replay('--bundle', 'policy.json')
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
    const [header, row, ...rest] = stdout.split('\n')
    expect(header).toMatch(/^seq +time +principal +action +resource +verdict +rule$/)
    expect(row).toMatch(
      /^3 +\S+Z +agent:a +refund.create +order:1 +ESCALATE → DENY +no-big-refund$/,
    )
    expect(rest[0]).toBe('1 of 2 verdicts in default/default would change')
    expect(rest[1]).toMatch(/^not replayed, for the arguments are not stored: 1 \(rcpt-\w{64}\)$/)
    expect(stdout).not.toContain('500')
  })

  it('is exit code 0 when nothing changes', async () => {
    const { code, stdout } = await replay('--bundle', 'same.bundle')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^0 of 2 verdicts/)
  })

  it('says all of it in JSON', async () => {
    const args = ['--data-dir', 'data', '--bundle', 'policy.json']
    expect(await bench.json(['replay', ...args])).toMatchObject({
      scope: 'default/default',
      candidate: { file: 'policy.json', policy_epoch: 1 },
      counts: {
        ...{ changed: 1, unchanged: 1, unchecked: 2, not_stored: 1, altered: 0 },
        not_by_rules: {},
      },
      more: false,
      changes: [
        {
          action: 'refund.create',
          recorded: { verdict: 'ESCALATE', rule_ids: ['ask-refund'] },
          candidate: { verdict: 'DENY', rule_ids: ['no-big-refund'] },
        },
      ],
      changes_left_out: 0,
    })
  })

  it('says what nobody checked', async () => {
    const { stdout } = await bench.run([
      ...['replay', '--data-dir', 'data', '--bundle', 'same.bundle'],
    ])
    expect(stdout).toContain('2 not checked against receipts: no --signing-key-file')
  })

  it('that could compare nothing is exit code 2', async () => {
    const { code, stdout } = await bench.run([
      ...['replay', '--data-dir', 'bare', '--bundle', 'same.bundle'],
    ])
    expect(code).toBe(2)
    expect(stdout).toContain('warning: nothing could be compared')
  })

  it.each([
    [['--bundle', 'policy.json', '--from', 'yesterday'], '--from is a time'],
    [['--bundle', 'policy.json', '--limit', '0'], '--limit is a whole number'],
    [['--bundle', 'policy.json', '--scope', 'acme'], '--scope is a tenant and a workspace'],
    [['--bundle', 'none.bundle'], 'there is no such file'],
    [[], '--bundle is missing'],
  ])('refuses %j', async (args, message) => {
    const { code, stdout, stderr } = await replay(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
  })

  it('has nothing to say of a folder without a ledger', async () => {
    const { code, stderr } = await bench.run([
      ...['replay', '--data-dir', 'nowhere', '--bundle', 'policy.json'],
    ])
    expect(code).toBe(2)
    expect(stderr).toContain('LEDGER_MISSING')
  })
})
