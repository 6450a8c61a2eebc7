import process from 'node:process'
import { openPostgres } from '@helm-ai-kernel/postgres'
import { hostClock } from '../../packages/host/src/clock.ts'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { key, sealer } from './ledger.ts'
import { acme, began, decision } from './log-entries.ts'

// A replica that appends to the ledger in the database given until it is killed, and says each receipt
// that was acknowledged.

const [url = ''] = process.argv.slice(2)
const ledger = await openPostgres({
  url,
  clock: hostClock,
  random: { bytes: (n) => globalThis.crypto.getRandomValues(new Uint8Array(n)) },
  crypto,
  log: key.log,
  keyId: key.keyId,
  checkpointInterval: 20,
})
const fault = ledger.health()
if (fault !== undefined) throw new Error(JSON.stringify(fault))
const seal = sealer(ledger.identity, hostClock)
// As a kernel does: whoever comes first begins the key, under the lock.
await ledger.append([began(key)], (state, drafts) =>
  state.key === key.keyId ? drafts.map(() => ({ refused: 'KEY_CHANGED' })) : seal(state, drafts),
)
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
