import type { Head } from '../bundle/head.ts'
import type { Signatures } from '../bundle/signature.ts'
import { digest } from '../bytes/digest.ts'
import { KernelError } from '../error.ts'
import type { Crypto } from '../ports/crypto.ts'
import type { PolicySource } from '../ports/policy-source.ts'
import { type Scope, scopeKey } from '../trust/scope.ts'

/** Policy in memory, for whoever embeds a kernel and has bundles in hand. */
export interface StaticSource extends PolicySource {
  /** Replaces what there is for the scope. The bytes are not copied: leave them as they are. */
  offer(scope: Scope, bytes: Uint8Array, signatures: Signatures): void
  /** Takes the scope out of the list. */
  remove(scope: Scope): void
}

interface Offered {
  readonly head: Head
  readonly bytes: Uint8Array
}

export function staticSource(crypto: Crypto): StaticSource {
  const offers = new Map<string, Offered>()

  const offered = (scope: Scope): Offered => {
    const offer = offers.get(scopeKey(scope))
    if (offer !== undefined) return offer
    throw new KernelError('SOURCE_EMPTY', `there is no policy for ${scopeKey(scope)}`)
  }

  return Object.freeze({
    scopes: async () => [...offers.values()].map(({ head }) => head.scope),
    head: async (scope) => offered(scope).head,
    load: async (scope) => offered(scope).bytes,
    settled: () => undefined,
    offer(scope, bytes, signatures) {
      const policyHash = digest(crypto, bytes)
      const head = { scope, policyEpoch: undefined, policyHash, bundleRef: '', signatures }
      offers.set(scopeKey(scope), { head, bytes })
    },
    remove: (scope) => void offers.delete(scopeKey(scope)),
  } satisfies StaticSource)
}
