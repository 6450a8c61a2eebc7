import { equalBytes } from '../bytes/equal.ts'
import { encodeHex } from '../bytes/hex.ts'
import { type KeyId, keyIdOf } from '../crypto/key-id.ts'
import { checkPublicKey } from '../crypto/noble.ts'
import type { KernelSigner } from '../crypto/signer.ts'
import { KernelError } from '../error.ts'
import type { Crypto } from '../ports/crypto.ts'
import type { LedgerState } from '../ports/receipt-store.ts'
import type { KeyBegan, KeyEnded } from '../receipt/statement.ts'
import type { KernelOptions } from './options.ts'

// Which key may sign next in a ledger (design 4.4). All of it is asked under the store's lock, so that
// of two kernels on one ledger none goes on after the other has begun with another key.

type Keys = Pick<LedgerState, 'key' | 'successor'>

/** Throws `KEY_CHANGED` unless `own` signs in the ledger: it has begun, and has not ended. */
export function requireSigning({ key, successor }: Keys, own: KernelSigner): void {
  if (key !== own.keyId) throw changed(own, key)
  if (successor !== undefined) throw ended(key, successor)
}

/**
 * With which receipt `own` begins to sign; undefined when it signs already. Throws `KEY_CHANGED` when
 * it may not.
 */
export function beginning(
  { key, successor }: Keys,
  own: KernelSigner,
  onKeyChange: KernelOptions['onKeyChange'],
): KeyBegan | undefined {
  if (key === own.keyId) {
    if (successor !== undefined) throw ended(key, successor)
    return undefined
  }
  const endorsed = key === undefined || successor === own.keyId
  if (!endorsed && !mayFollow(key, onKeyChange)) {
    throw successor === undefined ? changed(own, key) : ended(key, successor)
  }
  return {
    kind: 'key',
    event: 'began',
    subject_key_id: own.keyId,
    public_key: encodeHex(own.publicKey),
    log_public_key: encodeHex(own.log.publicKey),
    endorsed,
  }
}

/** With which receipt `own` ends, in favour of `successor`. Throws `KEY_INVALID`. */
export function ending(own: KernelSigner, successor: Uint8Array, crypto: Crypto): KeyEnded {
  const check = checkPublicKey(successor)
  if (check !== 'ok') throw new KernelError('KEY_INVALID', `the next key is ${check}`)
  if ([own, own.log].some(({ publicKey }) => equalBytes(publicKey, successor))) {
    throw new KernelError('KEY_INVALID', 'the next key is the key that signs now: make a new one')
  }
  return {
    kind: 'key',
    event: 'ended',
    subject_key_id: keyIdOf(crypto, successor),
    public_key: encodeHex(successor),
    log_public_key: null,
    endorsed: true,
  }
}

function mayFollow(before: KeyId, on: KernelOptions['onKeyChange'] = 'refuse'): boolean {
  return typeof on === 'string' ? on === 'rotate' : on.includes(before)
}

function changed(own: KernelSigner, key: KeyId | undefined): KernelError {
  return new KernelError(
    'KEY_CHANGED',
    `this ledger is signed by ${key ?? 'no key yet'}, the configured key is ${own.keyId}: configure ` +
      'the key of the ledger, or, if that one is lost, name it in HELM_SIGNING_PREVIOUS_KEYS',
  )
}

function ended(key: KeyId, successor: KeyId): KernelError {
  return new KernelError(
    'KEY_CHANGED',
    `the key ${key} of this ledger has ended, and named ${successor} to follow: set ` +
      'HELM_SIGNING_KEY_FILE to the seed of that one',
  )
}
