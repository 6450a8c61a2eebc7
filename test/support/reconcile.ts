import {
  type Caller,
  digest,
  type Kernel,
  KernelError,
  type KernelOptions,
  nobleCrypto as crypto,
  type PolicySource,
  type ReceiptStore,
  type Scope,
  scopeKey,
  scopeOf,
} from '@helm-ai-kernel/core'
import { type Head, parseSignatures } from '@helm-ai-kernel/core/bundle'
import {
  createReconciler,
  type PolicyAttempt,
  type PolicyStatus,
  type Reconciler,
  type ReconcilerOptions,
} from '@helm-ai-kernel/core/reconcile'
import type { FakeClock } from './clock.ts'
import { seededRandom, type SignedBundle, signedBundle, testKernel } from './kernel.ts'
import { scope } from './policy.ts'

/** A scope beside the default one, and policy for it. */
export const acme: Scope = scopeOf('acme', 'prod')
export function forAcme(epoch: number): SignedBundle {
  return signedBundle(epoch, undefined, { scope: { tenant_id: 'acme', workspace_id: 'prod' } })
}

export const unreachable = new KernelError('SOURCE_UNREACHABLE', 'the folder is gone')

/** A bundle that its signature is not of: refused at the signature, whatever else it is. */
export function badlySigned(epoch: number): SignedBundle {
  return { bytes: signedBundle(epoch).bytes, signature: foreignSignature }
}
const foreignSignature = signedBundle(99).signature

/** Whoever asks the kernel, within this scope. */
export function callerOf(of: Scope): Caller {
  return { scope: of, surface: 'evaluate', credential: 'c', method: 'key', roles: [] }
}

/** What a source says when it is asked for a scope; a promise is waited for, as a slow source is. */
export type Offer =
  | SignedBundle
  | Promise<SignedBundle>
  | Error
  | 'hangs'
  | { readonly head: Partial<Head>; readonly bundle: SignedBundle }

export type Listing = readonly Scope[] | Promise<readonly Scope[]> | Error | 'hangs' | undefined

/** A source that a test tells what to say, and that counts what it was asked. */
export interface ScriptedSource extends PolicySource {
  offer(offer: Offer, of?: Scope): void
  /** What it lists; an error or `hangs` instead of a list. Without, the scopes that have an offer. */
  list(scopes: Listing): void
  /** How often it was asked for its list. */
  listings(): number
  asked(of?: Scope): { readonly heads: number; readonly loads: number; readonly most: number }
  readonly settledWith: readonly PolicyStatus[]
}

export function scriptedSource(): ScriptedSource {
  const offers = new Map<string, { readonly of: Scope; readonly offer: Offer }>()
  const counts = new Map<string, { heads: number; loads: number; now: number; most: number }>()
  const settledWith: PolicyStatus[] = []
  let listing: Listing
  let listings = 0
  const countOf = (of: Scope) => {
    const known = counts.get(scopeKey(of)) ?? { heads: 0, loads: 0, now: 0, most: 0 }
    counts.set(scopeKey(of), known)
    return known
  }
  const fail = async (fault: Error | 'hangs'): Promise<never> => {
    if (fault === 'hangs') return new Promise(() => undefined)
    throw fault
  }
  return {
    settledWith,
    offer: (offer, of = scope) => void offers.set(scopeKey(of), { of, offer }),
    list: (scopes) => void (listing = scopes),
    listings: () => listings,
    asked: (of = scope) => ({ ...countOf(of) }),
    async scopes() {
      listings++
      if (listing === 'hangs' || listing instanceof Error) return fail(listing)
      return listing ?? [...offers.values()].map(({ of }) => of)
    },
    async head(of) {
      const count = countOf(of)
      count.heads++
      count.most = Math.max(count.most, ++count.now)
      try {
        const offer = await offers.get(scopeKey(of))?.offer
        if (offer === undefined) throw new Error('nothing was offered')
        if (offer === 'hangs' || offer instanceof Error) return await fail(offer)
        const bundle = 'head' in offer ? offer.bundle : offer
        return {
          scope: of,
          policyEpoch: undefined,
          policyHash: digest(crypto, bundle.bytes),
          bundleRef: 'ref',
          signatures: bundle.signature.length === 0 ? [] : parseSignatures(bundle.signature),
          ...('head' in offer && offer.head),
        }
      } finally {
        count.now--
      }
    },
    async load(of) {
      countOf(of).loads++
      const offer = await offers.get(scopeKey(of))?.offer
      if (offer === undefined || offer === 'hangs' || offer instanceof Error) {
        throw new Error('no head was given')
      }
      return ('head' in offer ? offer.bundle : offer).bytes
    },
    settled: (_of, status) => void settledWith.push(status),
  }
}

export interface TestReconciler {
  readonly kernel: Kernel
  readonly store: ReceiptStore
  readonly clock: FakeClock
  readonly source: ScriptedSource
  readonly reconciler: Reconciler
  readonly attempts: readonly PolicyAttempt[]
  readonly warnings: readonly string[]
  start(): Promise<void>
  end(): void
  /** Offers, wakes, and says how the scope then stands. */
  wake(offer?: Offer, of?: Scope): Promise<PolicyStatus>
  /** Lets time pass, and whatever is due happen. */
  pass(ms: number): Promise<void>
}

export interface TestOptions extends Partial<ReconcilerOptions> {
  /** What the source does otherwise than as it is told. */
  readonly otherwise?: Partial<PolicySource>
  /** That nobody listens to the reconciler: it has no hooks. */
  readonly unheard?: true
}

/** A reconciler over a scripted source, a memory store and a clock that stands still. */
export function testReconciler(
  { otherwise, unheard, ...more }: TestOptions = {},
  kernelOptions: Partial<KernelOptions> = {},
): TestReconciler {
  const { kernel, store, clock } = testKernel(kernelOptions)
  const source = scriptedSource()
  const attempts: PolicyAttempt[] = []
  const warnings: string[] = []
  const ended = new AbortController()
  const reconciler = createReconciler({
    kernel,
    source: { ...source, ...otherwise },
    sourceName: 'scripted',
    scopes: [scope],
    receipts: store,
    clock,
    random: seededRandom(),
    pollInterval: 10_000,
    maxAge: 600_000,
    onInvalidUpdate: 'keepLastKnownGood',
    ...(unheard !== true && {
      observe: (attempt) => attempts.push(attempt),
      warn: (message) => warnings.push(message),
    }),
    ...more,
  })
  return {
    kernel,
    store,
    clock,
    source,
    reconciler,
    attempts,
    warnings,
    start: () => reconciler.start(ended.signal),
    end: () => ended.abort(),
    async wake(offer, of = scope) {
      if (offer !== undefined) source.offer(offer, of)
      await reconciler.wake(of)
      const status = reconciler.status(of)
      if (status === undefined) throw new Error('nothing is known of the scope')
      return status
    },
    async pass(ms) {
      clock.advance(ms)
      await turns()
    },
  }
}

/** Lets everything that can go on go on. */
export async function turns(count = 30): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** A promise that a test keeps when it likes. */
export function later<T>(): {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
} {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((given) => {
    resolve = given
  })
  return { promise, resolve }
}
