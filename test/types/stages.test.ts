import type {
  Digest,
  Kernel,
  KernelOptions,
  KeyId,
  ReceiptId,
  Scope,
  TrustRoot,
} from '@helm-ai-kernel/core'
import {
  type decode,
  type inspect,
  type UnverifiedBundle,
  type VerifiedBundle,
  type VerifiedBytes,
} from '@helm-ai-kernel/core/bundle'
import {
  type compile,
  type decide,
  type Decision,
  type EffectivePolicySnapshot,
  type Facts,
  type Request,
  type RequestInput,
} from '@helm-ai-kernel/core/policy'
import { describe, expectTypeOf, it } from 'vitest'

// `tsc` runs these; a stage that takes what it must not take does not compile, and then neither does
// this file. Each `@ts-expect-error` is itself an error when the line below it is fine.

declare const unverified: UnverifiedBundle
declare const verified: VerifiedBytes
declare const decoded: VerifiedBundle
declare const inspected: ReturnType<typeof inspect>
declare const facts: Facts
declare const text: string
const use = (..._values: readonly unknown[]): void => undefined

type Decode = (...args: Parameters<typeof decode>) => void
type Compile = (...args: Parameters<typeof compile>) => void
type Decide = (...args: Parameters<typeof decide>) => void
declare const callDecode: Decode
declare const callCompile: Compile
declare const callDecide: Decide

/** Never run: what is in here only has to be typed. */
function stages(): void {
  callDecode(verified, { now: 0 })
  // @ts-expect-error bytes that nobody verified are not decoded
  callDecode(unverified, { now: 0 })
  callCompile(decoded)
  // @ts-expect-error verified bytes are not yet a bundle
  callCompile(verified)
  // @ts-expect-error what `inspect` read was never verified
  callCompile(inspected)
  // @ts-expect-error nor is a look-alike
  callCompile({ ...inspected, policyHash: text, keyIds: [], provenance: 'signed' })
  // @ts-expect-error a bundle does not decide
  callDecide(decoded, facts)
}

/** Strings that must not be mixed. */
function brands(digest: Digest, id: ReceiptId, key: KeyId): void {
  // @ts-expect-error a text is no digest until it was checked
  const plain: Digest = text
  // @ts-expect-error a digest is no receipt id
  const wrongId: ReceiptId = digest
  // @ts-expect-error a key id is no digest
  const wrongDigest: Digest = key
  use(plain, wrongId, wrongDigest, id)
}

/** What the kernel must be given. */
function kernels(kernel: Kernel, options: KernelOptions, trust: TrustRoot): void {
  // @ts-expect-error a request names an action
  void kernel.decide({ principal: text })
  // @ts-expect-error arguments of the wire are not those of the library
  void kernel.decide({ principal: text, action: text, session_id: text })
  // @ts-expect-error a kernel without a trust root is a mistake, not a default
  const incomplete: KernelOptions = { ...options, trust: undefined }
  // @ts-expect-error a scope is a pair, never a joined string
  const scope: Scope = 'acme/prod'
  // @ts-expect-error a decision cannot be changed
  kernel.evaluate({ principal: text, action: text }).verdict = 'ALLOW'
  // @ts-expect-error nor can a trust root
  trust.threshold = 0
  use(incomplete, scope)
}

describe('the stages', () => {
  it('take only what the stage before made', () => {
    expectTypeOf<Parameters<typeof decode>[0]>().toEqualTypeOf<VerifiedBytes>()
    expectTypeOf<Parameters<typeof compile>[0]>().toEqualTypeOf<VerifiedBundle>()
    expectTypeOf<Parameters<typeof decide>[0]>().toEqualTypeOf<EffectivePolicySnapshot>()
    expectTypeOf<RequestInput>().not.toExtend<Request>()
    expectTypeOf<Decision['verdict']>().toEqualTypeOf<'ALLOW' | 'DENY' | 'ESCALATE'>()
    use(stages, brands, kernels)
  })
})
