import { createHash, createPublicKey, verify as verifyNatively } from 'node:crypto'
import { createKernel, encodeHex, memoryStore, signer, trustKeys } from '@helm-ai-kernel/core'
import { signBundle } from '@helm-ai-kernel/core/bundle'
import { nodeCrypto } from '@helm-ai-kernel/host'
import { type Figure, report, timed } from '../support/figure.ts'
import { hostPorts } from '../support/host.ts'
import { bundleBytes } from '../support/policy.ts'

// P3: bundle bytes to an active snapshot, in a process that has done nothing of the kind before, against
// the floor: SHA-256, one Ed25519 verification and JSON.parse of the same bytes, all native.

const count = Number(process.argv[2] ?? 10_000)
const bytes = bundleBytes(count)
const key = signer(new Uint8Array(32).fill(3), nodeCrypto)
const signature = signBundle(bytes, key)
const publicKey = createPublicKey({
  key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key.publicKey).toString('base64url') },
  format: 'jwk',
})

globalThis.gc?.()
const floor = timed(() => {
  createHash('sha256').update(bytes).digest()
  if (!verifyNatively(null, bytes, publicKey, signature.signature)) throw new Error('bad signature')
  JSON.parse(Buffer.from(bytes).toString('utf8'))
})

const kernel = createKernel({
  trust: trustKeys([encodeHex(key.publicKey)], nodeCrypto),
  store: memoryStore(),
  signer: signer(new Uint8Array(32).fill(4), nodeCrypto),
  crypto: nodeCrypto,
  ...hostPorts,
})
await kernel.begin()
globalThis.gc?.()
const begun = performance.now()
await kernel.install(bytes, [signature])
const own = performance.now() - begun

const rules = count
const limit = { sense: '≤', value: count >= 100_000 ? 1.5 : 3 } as const
const figures: Figure[] = [
  { id: 'P3', what: 'bundle bytes to active snapshot', rules, value: own, unit: 'ms' },
  { id: 'P3', what: 'the floor: hash, verify, parse', rules, value: floor, unit: 'ms' },
  {
    id: 'P3',
    what: 'install ÷ floor, cold process',
    rules,
    value: own / floor,
    limit,
    unit: 'ratio',
  },
]
report(figures)
