import { createKernel, encodeHex, memoryStore, signer, trustKeys } from '@helm-ai-kernel/core'
import { signBundle } from '@helm-ai-kernel/core/bundle'
import { nodeCrypto } from '@helm-ai-kernel/host'
import { type Figure, report } from '../support/figure.ts'
import { hostPorts } from '../support/host.ts'
import { bundleBytes } from '../support/policy.ts'

// P4: the longest gap between two turns of the event loop while 100,000 rules are installed and decisions
// go on. The gaps are taken between ticks of our own: a histogram of delays misses single long ones.

const count = 100_000
const key = signer(new Uint8Array(32).fill(3), nodeCrypto)
const small = bundleBytes(1000)
const large = bundleBytes(count, 2)
const signature = [signBundle(large, key)]

const kernel = createKernel({
  trust: trustKeys([encodeHex(key.publicKey)], nodeCrypto),
  store: memoryStore(),
  signer: signer(new Uint8Array(32).fill(4), nodeCrypto),
  crypto: nodeCrypto,
  ...hostPorts,
})
await kernel.install(small, [signBundle(small, key)])
const request = {
  principal: 'agent:a',
  action: 'tool-0.call',
  resource: 'account:0',
  args: { amount: 1 },
}
for (let i = 0; i < 2000; i++) kernel.evaluate(request)
globalThis.gc?.()

const gaps: number[] = []
let decisions = 0
let last = performance.now()
const over = new AbortController()
const load = (async () => {
  while (!over.signal.aborted) {
    const now = performance.now()
    gaps.push(now - last)
    last = now
    for (let i = 0; i < 20; i++) {
      if (kernel.evaluate(request).verdict !== 'ALLOW') throw new Error('not allowed')
      decisions++
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
})()
const begun = performance.now()
await kernel.install(large, signature)
const took = performance.now() - begun
over.abort()
await load
if (kernel.status().policy?.policyEpoch !== 2) throw new Error('not installed')

const sorted = gaps.toSorted((a, b) => b - a)
if (process.env['HELM_BENCH_DETAIL'])
  console.error(
    sorted
      .slice(0, 12)
      .map((gap) => gap.toFixed(1))
      .join(' '),
  )
const figures: Figure[] = [
  {
    id: 'P4',
    what: `longest stall while ${Math.round(large.length / 1e6)} MB are installed`,
    rules: count,
    value: sorted[0] ?? 0,
    limit: { sense: '≤', value: 25 },
    unit: 'ms',
  },
  { id: 'P4', what: 'the whole install, beside decisions', rules: count, value: took, unit: 'ms' },
  { id: 'P4', what: 'decisions meanwhile', rules: count, value: decisions, unit: 'decisions' },
]
report(figures)
