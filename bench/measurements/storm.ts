import { createKernel, encodeHex, memoryStore, signer, trustKeys } from '@helm-ai-kernel/core'
import { encodeBundle, signBundle } from '@helm-ai-kernel/core/bundle'
import { decide, type Decision, type Facts } from '@helm-ai-kernel/core/policy'
import { nodeCrypto } from '@helm-ai-kernel/host'
import { createCell } from '../../packages/core/src/policy/cell.ts'
import { type Figure, report } from '../support/figure.ts'
import { hostPorts } from '../support/host.ts'
import { policyOf, scope, snapshotOf } from '../support/policy.ts'

// P5: what 1,000 swaps a second do to decisions. First the swap itself: compiled policies of 10,000 rules
// change places in the cell that a kernel reads. Then, for comparison, whole installs of small policies:
// hash, signature, compile, self-tests, receipt, swap. A decision must be of one policy: every rule's id
// says of which epoch it is.

const perSecond = 1000
const ms = 1000

const facts: Facts = {
  principal: 'agent:a',
  action: 'tool-0.call',
  resource: 'account:0',
  sessionId: '',
  args: { amount: 1 },
  context: {},
  auth: {
    tenant_id: scope.tenantId,
    workspace_id: scope.workspaceId,
    credential: 'bench',
    roles: ['decide'],
    surface: 'embed',
  },
  now: Date.now(),
}
let faults = 0

function bundleOf(rules: number, policyEpoch: number): Uint8Array {
  const named = policyOf(rules).map((rule, i) => ({
    ...rule,
    id: `rule-${String(i).padStart(6, '0')}:e${policyEpoch}`,
  }))
  return encodeBundle({ rules: named }, { scope, policyEpoch })
}

/** Ns of each decision in so long a time, while `swap` is called `swaps` times a second. */
async function watch(
  decideNow: () => Decision,
  swaps: number,
  swap: () => unknown,
): Promise<readonly number[]> {
  const took: number[] = []
  const begun = performance.now()
  let swapped = 0
  for (let now = begun; now < begun + ms; now = performance.now()) {
    if (swapped < ((now - begun) / 1000) * swaps) {
      swapped++
      await swap()
    }
    for (let i = 0; i < 20; i++) {
      const from = process.hrtime.bigint()
      const { verdict, policyEpoch, ruleIds } = decideNow()
      took.push(Number(process.hrtime.bigint() - from))
      const isWhole = ruleIds[0]?.endsWith(`:e${policyEpoch}`) === true
      if (verdict !== 'ALLOW' || !isWhole) faults++
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  return took
}

function p99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? 0
}

/** p99 with swaps ÷ without, both warm. */
async function ratioOf(decideNow: () => Decision, swap: () => unknown): Promise<number> {
  await watch(decideNow, perSecond, swap)
  await watch(decideNow, 0, swap)
  globalThis.gc?.()
  const calm = p99(await watch(decideNow, 0, swap))
  globalThis.gc?.()
  return p99(await watch(decideNow, perSecond, swap)) / calm
}

const snapshots = [1, 2, 3, 4].map((epoch) => snapshotOf(bundleOf(10_000, epoch)))
const cell = createCell()
let turn = 0
function swapCell(): void {
  const snapshot = snapshots[turn++ % snapshots.length]
  if (snapshot === undefined) throw new Error('no snapshot')
  const times = { verifiedAt: 0, verifiedMonotonic: 0, activatedAt: 0 }
  const ends = { expiresMonotonic: Infinity, maxAge: Infinity }
  cell.swap({ status: 'active', snapshot, ...times, ...ends, signatures: [], proofs: [] })
}
function decideByCell(): Decision {
  const standing = cell.read()
  if (standing.status === 'no_policy') throw new Error('no policy')
  return decide(standing.snapshot, facts)
}
swapCell()
const swapItself = await ratioOf(decideByCell, swapCell)

const key = signer(new Uint8Array(32).fill(3), nodeCrypto)
const kernel = createKernel({
  trust: trustKeys([encodeHex(key.publicKey)], nodeCrypto),
  store: memoryStore(),
  signer: signer(new Uint8Array(32).fill(4), nodeCrypto),
  crypto: nodeCrypto,
  ...hostPorts,
})
const bundles = Array.from({ length: (2 * perSecond * ms) / 1000 + 3 }, (_, i) => {
  const bytes = bundleOf(10, i + 1)
  return { bytes, signatures: [signBundle(bytes, key)] }
})
let installs = 0
async function install(): Promise<void> {
  const bundle = bundles[installs++]
  if (bundle === undefined) throw new Error('no bundle is left')
  await kernel.install(bundle.bytes, bundle.signatures)
}
await install()
const request = {
  principal: 'agent:a',
  action: 'tool-0.call',
  resource: 'account:0',
  args: { amount: 1 },
}
const wholeInstalls = await ratioOf(() => kernel.evaluate(request), install)
if (kernel.status().policy?.policyEpoch !== installs) throw new Error('a swap is missing')

const none = { sense: '≤', value: 0 } as const
const figures: Figure[] = [
  {
    id: 'P5',
    what: 'decision p99, 1,000 swaps a second ÷ none',
    rules: 10_000,
    value: swapItself,
    limit: { sense: '≤', value: 1.1 },
    unit: 'ratio',
  },
  {
    id: 'P5',
    what: 'the same with whole installs, as many as go',
    rules: 10,
    value: wholeInstalls,
    unit: 'ratio',
  },
  {
    id: 'P5',
    what: 'wrong decisions, or of two policies',
    value: faults,
    limit: none,
    unit: 'decisions',
  },
]
report(figures)
