import { spawnSync } from 'node:child_process'
import { cpus } from 'node:os'
import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { report } from '../support/figure.ts'
import { ledgerOf } from '../support/ledger.ts'

// P9: `ledger verify` of a long ledger, as an auditor runs it, against as many native signature checks
// on every core in the same run.

const receipts = Number(process.argv[2])
/** The floor is the same for each signature, so a part of them tells. */
const checks = 40_000
const folder = await ledgerOf(receipts)

const before = await checkNatively()
const begun = performance.now()
const { status, stderr } = spawnSync(
  process.execPath,
  ['adapters/node/bin/helm-ai-kernel.js', 'ledger', 'verify', '--data-dir', folder],
  { encoding: 'utf8' },
)
const seconds = (performance.now() - begun) / 1000
if (status !== 0) throw new Error(stderr)
const floor = (Math.min(before, await checkNatively()) * receipts) / checks

const what = `${receipts.toLocaleString('en')} receipts`
report([
  { id: 'P9', what: `ledger verify of ${what}`, value: seconds, unit: 's' },
  { id: 'P9', what: `as many signatures on ${cpus().length} cores`, value: floor, unit: 's' },
  {
    id: 'P9',
    what: 'verify ÷ the signatures alone',
    value: seconds / floor,
    limit: { sense: '≤', value: 1.3 },
    unit: 'ratio',
  },
])

/** Seconds for `checks` signatures over as many bytes as a receipt has, on every core. */
async function checkNatively(): Promise<number> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const bytes = new Uint8Array(900)
  const signature = sign(null, bytes, privateKey)
  const check = () =>
    new Promise<boolean>((resolve) => {
      verify(null, bytes, publicKey, signature, (_, holds) => resolve(holds))
    })
  const begun = performance.now()
  let left = checks
  const lane = async (): Promise<void> => {
    while (left-- > 0) if (!(await check())) throw new Error('bad')
  }
  await Promise.all(Array.from({ length: cpus().length * 4 }, lane))
  return (performance.now() - begun) / 1000
}
