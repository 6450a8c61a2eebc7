import {
  createKernel,
  encodeHex,
  type Json,
  type Kernel,
  type KernelOptions,
  memoryStore,
  nobleCrypto,
  type Random,
  type ReceiptStore,
  signer,
  trustKeys,
} from '@helm-ai-kernel/core'
import { encodeBundle, encodeSignatures, signBundle } from '@helm-ai-kernel/core/bundle'
import { type FakeClock, fakeClock } from './clock.ts'
import { scope } from './policy.ts'

export const kernelSigner = signer(new Uint8Array(32).fill(7))
export const policySigner = signer(new Uint8Array(32).fill(9))
export const trust = trustKeys([encodeHex(policySigner.publicKey)], nobleCrypto)

/** One rule of each effect. */
export const sampleRules: readonly Json[] = [
  { id: 'allow-read', effect: 'ALLOW', actions: ['ticket.read'] },
  { id: 'ask-refund', effect: 'ESCALATE', actions: ['refund.create'] },
  { id: 'no-secrets', effect: 'DENY', actions: ['*'], resources: ['secret:*'], reason: 'never' },
]

export interface SignedBundle {
  readonly bytes: Uint8Array
  /** The content of a `.sig` file. */
  readonly signature: Uint8Array
}

export function signedBundle(
  policyEpoch = 1,
  rules: readonly Json[] = sampleRules,
  more: Record<string, Json> = {},
): SignedBundle {
  const bytes = encodeBundle({ rules, ...more }, { scope, policyEpoch })
  const { signature } = signBundle(bytes, policySigner)
  return { bytes, signature: encodeSignatures([{ keyId: undefined, signature }]) }
}

/** Bytes that look random and are the same in every run. */
export function seededRandom(seed = 1): Random {
  let state = seed
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 24
  }
  return { bytes: (n) => Uint8Array.from({ length: n }, next) }
}

export interface TestKernel {
  readonly kernel: Kernel
  readonly store: ReceiptStore
  readonly clock: FakeClock
  readonly warnings: readonly string[]
}

/** A kernel over a memory store, with a clock that stands still. */
export function testKernel(more: Partial<KernelOptions> = {}): TestKernel {
  const clock = fakeClock()
  const store = more.store ?? memoryStore()
  const warnings: string[] = []
  const kernel = createKernel({
    trust,
    signer: kernelSigner,
    clock,
    random: seededRandom(),
    warn: (message) => warnings.push(message),
    ...more,
    store,
  })
  return { kernel, store, clock, warnings }
}

/** The same, with the sample policy installed at epoch 1. */
export async function readyKernel(more: Partial<KernelOptions> = {}): Promise<TestKernel> {
  const made = testKernel(more)
  const { bytes, signature } = signedBundle()
  await made.kernel.install(bytes, signature)
  return made
}
