import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { report } from '../support/figure.ts'
import { ledgerOf } from '../support/ledger.ts'
import { startServer } from '../support/server.ts'

// P8: from the start of the program until /readyz says 200, with an empty ledger and with a long one,
// and the memory it then has.

const receipts = Number(process.argv[2])
const limits = receipts === 0 ? { seconds: 0.5 } : { seconds: 2, mebibytes: 200 }
const folder =
  receipts === 0 ? mkdtempSync(join(tmpdir(), 'helm-start-')) : await ledgerOf(receipts)

const begun = performance.now()
const server = await startServer(folder)
for (;;) {
  const { status } = await fetch(`http://127.0.0.1:${server.healthPort}/readyz`)
  if (status === 200) break
  await new Promise((resolve) => setTimeout(resolve, 5))
}
const seconds = (performance.now() - begun) / 1000
const atOnce = mebibytes()
// The index is filled, and old tiles are looked through, meanwhile.
await new Promise((resolve) => setTimeout(resolve, 20_000))
const later = mebibytes()
await server.stop()
if (receipts === 0) rmSync(folder, { recursive: true, force: true })

const what = receipts === 0 ? 'an empty ledger' : `${receipts.toLocaleString('en')} receipts`
report([
  {
    id: 'P8',
    what: `start to ready, ${what}`,
    value: seconds,
    limit: { sense: '≤', value: limits.seconds },
    unit: 's',
  },
  {
    id: 'P8',
    what: `memory when ready, ${what}`,
    value: atOnce,
    ...(limits.mebibytes && { limit: { sense: '≤', value: limits.mebibytes } }),
    unit: 'MiB',
  },
  { id: 'P8', what: `memory twenty seconds later, ${what}`, value: later, unit: 'MiB' },
])

/** Resident memory of the server. */
function mebibytes(): number {
  const status = readFileSync(`/proc/${server.child.pid}/status`, 'utf8')
  return Number(/VmRSS:\s*(\d+) kB/.exec(status)?.[1]) / 1024
}
