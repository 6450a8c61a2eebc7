import { hostname } from 'node:os'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { openLedger } from '@helm-ai-kernel/ledger'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { nodeDisk } from '../../packages/host/src/node-disk.ts'
import { socketLock } from '../../packages/host/src/socket-lock.ts'
import { key, sealer } from './ledger.ts'
import { acme, began, decision } from './log-entries.ts'

// A process that appends to the ledger in the folder given until it is killed, and says each receipt
// that was acknowledged.

const [root = ''] = process.argv.slice(2)
const clock = {
  now: Date.now,
  monotonic: () => performance.now(),
  sleep: (ms: number) => sleep(ms),
}
const ledger = await openLedger({
  disk: nodeDisk(root),
  lock: socketLock(root),
  who: { pid: process.pid, host: hostname(), since: new Date().toISOString() },
  clock,
  random: { bytes: (n) => globalThis.crypto.getRandomValues(new Uint8Array(n)) },
  crypto,
  log: key.log,
  checkpointInterval: 20,
})
const fault = ledger.health()
if (fault !== undefined) throw new Error(JSON.stringify(fault))
const seal = sealer(ledger.identity, clock)
if ((await ledger.state()).size === 0) await ledger.append([began(key)], seal)
process.stdout.write('ready\n')

await Promise.all(
  Array.from({ length: 4 }, async () => {
    for (;;) {
      for (const one of await ledger.append([decision(acme, null)], seal)) {
        if (!('refused' in one)) process.stdout.write(`${one.receiptId}\n`)
      }
    }
  }),
)
