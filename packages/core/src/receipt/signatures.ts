import type { Crypto } from '../ports/crypto.ts'
import { type DecodedEntry, preAuthentication, verifyEntry } from './entry.ts'

/** Checks the signatures of entries: at once, or beside the event loop on every core. */
export interface SignatureChecks {
  /** Not known yet. */
  readonly pending: number
  /** `fail` hears of a wrong one: at once, or from `settled`, in the order of the calls. */
  check(entry: DecodedEntry, publicKey: Uint8Array, fail: () => void): void
  /** Resolves when all that were begun are known; others may be begun meanwhile. */
  settled(): Promise<void>
}

interface Begun {
  readonly holds: Promise<boolean>
  readonly fail: () => void
}

export function createSignatureChecks(crypto: Crypto, parallel: boolean): SignatureChecks {
  let begun: Begun[] = []
  let pending = 0
  let before = Promise.resolve()

  async function tell(waiting: readonly Begun[], earlier: Promise<void>): Promise<void> {
    await earlier
    for (const { holds, fail } of waiting) {
      if (!(await holds)) fail()
      pending--
    }
  }

  return {
    get pending() {
      return pending
    },
    check(entry, publicKey, fail) {
      if (!parallel || crypto.verifyLater === undefined) {
        if (!verifyEntry(crypto, entry, publicKey)) fail()
        return
      }
      const signed = preAuthentication(entry.payload).slice()
      pending++
      begun.push({ holds: crypto.verifyLater(publicKey, entry.signature, signed), fail })
    },
    settled() {
      before = tell(begun, before)
      begun = []
      return before
    },
  }
}
