import { encodeHex } from '../bytes/hex.ts'
import { KernelError } from '../error.ts'
import { defaultOrigin } from '../log/checkpoint.ts'
import type { Crypto } from '../ports/crypto.ts'
import type {
  Draft,
  LedgerIdentity,
  LedgerState,
  Refused,
  Seal,
  Stored,
} from '../ports/receipt-store.ts'
import { type Admit, sealDrafts } from '../receipt/seal.ts'
import { systemScope } from '../trust/scope.ts'
import type { KernelOptions } from './options.ts'
import { beginning, ending, requireSigning } from './succession.ts'
import { version } from './version.ts'

/** Puts receipts into the store under the kernel's key. */
export interface Recorder {
  /** Opens the ledger for this key: the first receipt of a key says that it began. */
  begin(): Promise<void>
  /**
   * Makes one receipt durable, or says why the ledger has moved on. Throws `LEDGER_…`, or
   * `KEY_CHANGED` when another key signs now.
   */
  record(draft: Draft, admit?: Admit): Promise<Stored | Refused>
  /**
   * Ends this key in favour of another, 32 bytes; nothing is recorded under it any more. Undefined
   * when it had named that one before. Throws `KEY_INVALID`, `KEY_CHANGED` or `LEDGER_…`.
   */
  end(successor: Uint8Array): Promise<Stored | undefined>
  /** Wall ms, never below the newest receipt's. */
  now(): number
}

export function createRecorder(options: KernelOptions, crypto: Crypto): Recorder {
  const { store, signer, clock, random, onKeyChange } = options
  let own: LedgerIdentity | undefined
  let newest = 0
  let begun: Promise<void> | undefined

  return {
    begin,
    async record(draft, admit) {
      await begin()
      return append(draft, (state, drafts) => {
        requireSigning(state, signer)
        return seal(state, drafts, admit)
      })
    },
    async end(successor) {
      const body = ending(signer, successor, crypto)
      const { key, successor: named } = await store.state()
      if (key === signer.keyId && named === body.subject_key_id) return undefined
      await begin()
      const receipt = await append({ scope: systemScope, body }, (state, drafts) => {
        requireSigning(state, signer)
        return seal(state, drafts)
      })
      return 'refused' in receipt ? undefined : receipt
    },
    now,
  }

  function now(): number {
    return Math.max(clock.now(), newest)
  }

  function begin(): Promise<void> {
    begun ??= open().catch((error: unknown) => {
      begun = undefined
      throw error
    })
    return begun
  }

  async function open(): Promise<void> {
    const state = await store.state()
    newest = Math.max(newest, state.time)
    const body = beginning(state, signer, onKeyChange)
    if (body === undefined) return
    await append({ scope: systemScope, body }, (locked) => {
      // Another kernel with this key may have begun meanwhile, or the key before may have ended.
      const first = beginning(locked, signer, onKeyChange)
      if (first === undefined) return [{ refused: 'KEY_CHANGED' }]
      return seal(locked, [{ scope: systemScope, body: first }])
    })
  }

  async function append(draft: Draft, sealing: Seal): Promise<Stored | Refused> {
    const [result] = await store.append([draft], sealing)
    if (result === undefined) {
      throw new KernelError('LEDGER_UNAVAILABLE', 'the ledger gave no answer for a receipt')
    }
    if ('statement' in result) newest = Math.max(newest, Date.parse(result.statement.time))
    return result
  }

  function seal(state: LedgerState, drafts: readonly Draft[], admit?: Admit): ReturnType<Seal> {
    const identity = state.identity ?? (own ??= createIdentity())
    return sealDrafts(
      { crypto, signer, identity, kernel: version, now: clock.now() },
      state,
      drafts,
      admit,
    )
  }

  function createIdentity(): LedgerIdentity {
    return {
      ledgerId: encodeHex(random.bytes(16)),
      origin: defaultOrigin(crypto, signer.log.publicKey),
    }
  }
}
