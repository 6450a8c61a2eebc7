import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKernel, noTrust, signer } from '@helm-ai-kernel/core'
import { nodeCrypto, nodeDisk, socketLock } from '@helm-ai-kernel/host'
import { openLedger } from '@helm-ai-kernel/ledger'
import { report } from '../support/figure.ts'
import { hostPorts } from '../support/host.ts'
import { bundleBytes } from '../support/policy.ts'

// P6: decisions with durable signed receipts by 64 concurrent callers, against what the signer alone
// does in the same run. Both are measured in turns, so that a busy machine is fair to both.

const callers = 64
const turns = 6
const perTurn = 4096

const folder = mkdtempSync(join(tmpdir(), 'helm-append-'))
const key = signer(new Uint8Array(32).fill(5), nodeCrypto)
const ledger = await openLedger({
  ...hostPorts,
  crypto: nodeCrypto,
  disk: nodeDisk(folder),
  lock: socketLock(folder),
  who: { pid: process.pid, host: 'bench', since: new Date().toISOString() },
  log: key.log,
})
const kernel = createKernel({
  ...hostPorts,
  crypto: nodeCrypto,
  trust: noTrust,
  store: ledger,
  signer: key,
})
await kernel.install(bundleBytes(100))

async function decideInTurn(count: number): Promise<number> {
  const begun = performance.now()
  let left = count
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      while (left-- > 0) {
        const { receipt } = await kernel.decide({
          principal: `agent:${caller}`,
          action: 'tool-10.call',
          resource: 'account:10',
          args: { amount: 50, order: 'order-12345', note: 'a usual argument of some length' },
        })
        if (receipt === undefined) throw new Error('a decision was not recorded')
      }
    }),
  )
  return (count * 1000) / (performance.now() - begun)
}

function signInTurn(count: number, bytes: Uint8Array): number {
  const begun = performance.now()
  for (let i = 0; i < count; i++) key.sign(bytes)
  return (count * 1000) / (performance.now() - begun)
}

const { receipt } = await kernel.decide({ principal: 'a', action: 'tool-10.call' })
const statement = new Uint8Array((receipt?.entry.length ?? 0) * 0.7)
const shares: number[] = []
const rates: number[] = []
for (let turn = 0; turn < turns; turn++) {
  const alone = signInTurn(perTurn, statement)
  const own = await decideInTurn(perTurn)
  if (turn === 0) continue
  rates.push(own)
  shares.push(own / alone)
}
await ledger.close()
rmSync(folder, { recursive: true, force: true })

const middle = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
report([
  { id: 'P6', what: 'durable decisions a second, 64 callers', value: middle(rates), unit: '/s' },
  {
    id: 'P6',
    what: 'durable decisions as a share of the signer alone',
    value: middle(shares),
    limit: { sense: '≥', value: 0.8 },
    unit: 'ratio',
  },
])
