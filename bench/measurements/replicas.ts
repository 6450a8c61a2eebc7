import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { createKernel, noTrust, signer } from '@helm-ai-kernel/core'
import { nodeCrypto } from '@helm-ai-kernel/host'
import { openPostgres } from '@helm-ai-kernel/postgres'
import { hasPostgres, startPostgres } from '../../test/support/postgres.ts'
import { type Figure, report } from '../support/figure.ts'
import { hostPorts } from '../support/host.ts'
import { bundleBytes } from '../support/policy.ts'

// P6 on PostgreSQL: decisions with durable signed receipts by 64 concurrent callers in each of 1, 2 and
// 4 replicas on one ledger, against what the signer alone does in the same run. The database has its
// defaults, fsync among them, and the same two cores.

const callers = 64
const warmUp = 2000
const duration = 6000
const key = signer(new Uint8Array(32).fill(5), nodeCrypto)

const [, program = '', role, url = ''] = process.argv
if (role === 'replica') await decideFor(url)
else await measure()

/** One replica: prints how many decisions it made in the time that counts. */
async function decideFor(database: string): Promise<void> {
  const ledger = await openPostgres({
    ...hostPorts,
    crypto: nodeCrypto,
    url: database,
    log: key.log,
    keyId: key.keyId,
  })
  const kernel = createKernel({
    ...hostPorts,
    crypto: nodeCrypto,
    trust: noTrust,
    store: ledger,
    signer: key,
  })
  await kernel.install(bundleBytes(100))
  const from = performance.now() + warmUp
  let made = 0
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      for (;;) {
        const { receipt } = await kernel.decide({
          principal: `agent:${caller}`,
          action: 'tool-10.call',
          resource: 'account:10',
          args: { amount: 50, order: 'order-12345', note: 'a usual argument of some length' },
        })
        const now = performance.now()
        if (now > from + duration) return
        if (receipt === undefined) throw new Error('a decision was not recorded')
        if (now > from) made++
      }
    }),
  )
  console.log(made)
  await ledger.close()
}

async function measure(): Promise<void> {
  const alone = signAlone()
  const figures: Figure[] = []
  for (const replicas of hasPostgres ? [1, 2, 4] : []) {
    const server = await startPostgres()
    try {
      const made = await Promise.all(Array.from({ length: replicas }, () => replica(server.url)))
      const rate = made.reduce((sum, count) => sum + count, 0) / (duration / 1000)
      const what = `on PostgreSQL, ${replicas} ${replicas === 1 ? 'replica' : 'replicas'}`
      figures.push({
        id: 'P6',
        what: `durable decisions a second ${what}`,
        value: rate,
        unit: '/s',
      })
      figures.push({
        id: 'P6',
        what: `share of the signer alone ${what}`,
        value: rate / alone,
        unit: 'ratio',
      })
    } finally {
      await server.end()
    }
  }
  report(figures)
}

async function replica(database: string): Promise<number> {
  const child = spawn(process.execPath, [program, 'replica', database], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return Number(await text(child.stdout))
}

function signAlone(): number {
  const bytes = new Uint8Array(900)
  const begun = performance.now()
  const count = 20_000
  for (let i = 0; i < count; i++) key.sign(bytes)
  return (count * 1000) / (performance.now() - begun)
}
