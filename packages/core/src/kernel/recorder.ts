import { encodeHex } from '../bytes/hex.ts'
import { KernelError } from '../error.ts'
import { defaultOrigin } from '../log/checkpoint.ts'
import type { Crypto } from '../ports/crypto.ts'
import type {
  Draft,
  LedgerIdentity,
  LedgerState,
  Refused,
  Sealed,
  Stored,
} from '../ports/receipt-store.ts'
import { type Admit, sealDrafts } from '../receipt/seal.ts'
import type { KeyBody } from '../receipt/statement.ts'
import type { KeyId } from '../crypto/key-id.ts'
import { systemScope } from '../trust/scope.ts'
import type { KernelOptions } from './options.ts'
import { version } from './version.ts'

/** Puts receipts into the store under the kernel's key. */
export interface Recorder {
  /** Opens the ledger for this key: the first receipt of a key says that it began. */
  begin(): Promise<void>
  /** Makes one receipt durable, or says why the ledger has moved on. Throws `LEDGER_…`. */
  record(draft: Draft, admit?: Admit): Promise<Stored | Refused>
  /** Wall ms, never below the newest receipt's. */
  now(): number
}

export function createRecorder(options: KernelOptions, crypto: Crypto): Recorder {
  const { store, signer, clock, random } = options
  let own: LedgerIdentity | undefined
  let newest = 0
  let begun: Promise<void> | undefined

  return {
    begin,
    async record(draft, admit) {
      await begin()
      return append(draft, admit)
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
    const { key, time } = await store.state()
    newest = Math.max(newest, time)
    if (key === signer.keyId) return
    if (key !== undefined && !mayFollow(key, options.onKeyChange)) {
      throw new KernelError(
        'KEY_CHANGED',
        `this ledger is signed by ${key}, the configured key is ${signer.keyId}: configure the old ` +
          'key again, or name it in HELM_SIGNING_PREVIOUS_KEYS to change keys',
      )
    }
    const body: KeyBody = {
      kind: 'key',
      event: 'began',
      subject_key_id: signer.keyId,
      public_key: encodeHex(signer.publicKey),
      log_public_key: encodeHex(signer.log.publicKey),
      endorsed: key === undefined,
    }
    await append({ scope: systemScope, body })
  }

  async function append(draft: Draft, admit?: Admit): Promise<Stored | Refused> {
    const [result] = await store.append([draft], (state, drafts) => seal(state, drafts, admit))
    if (result === undefined) {
      throw new KernelError('LEDGER_UNAVAILABLE', 'the ledger gave no answer for a receipt')
    }
    if ('statement' in result) newest = Math.max(newest, Date.parse(result.statement.time))
    return result
  }

  function seal(
    state: LedgerState,
    drafts: readonly Draft[],
    admit?: Admit,
  ): readonly (Sealed | Refused)[] {
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

function mayFollow(before: KeyId, on: KernelOptions['onKeyChange'] = 'refuse'): boolean {
  return typeof on === 'string' ? on === 'rotate' : on.includes(before)
}
