import { encodeUtf8 } from '../bytes/utf8.ts'
import type { Crypto, Signer } from '../ports/crypto.ts'

// C2SP tlog-cosignature, cosignature/v1: u64 big-endian POSIX seconds ‖ Ed25519 over a message that
// says the time, too. Without the name in it: a witness has a key for one name alone.

const timeBytes = 8
const cosignatureBytes = timeBytes + 64

/**
 * A witness's signature of a checkpoint's text, `time` in POSIX seconds. To sign is to say that this
 * is the largest head seen of its log by then: `witness` is who may.
 */
export function cosignature(text: string, witness: Signer, time: number): Uint8Array {
  const bytes = new Uint8Array(cosignatureBytes)
  let rest = time
  for (let at = timeBytes - 1; at >= 0; at--) {
    bytes[at] = rest % 256
    rest = Math.floor(rest / 256)
  }
  bytes.set(witness.sign(message(text, time)), timeBytes)
  return bytes
}

/** When the text was cosigned, in POSIX seconds; undefined when the cosignature is not the key's. */
export function cosignedAt(
  text: string,
  signature: Uint8Array,
  publicKey: Uint8Array,
  crypto: Crypto,
): number | undefined {
  if (signature.length !== cosignatureBytes) return undefined
  const time = signature.subarray(0, timeBytes).reduce((sum, byte) => sum * 256 + byte, 0)
  // What a number does not hold exactly is some 285 million years away.
  if (!Number.isSafeInteger(time)) return undefined
  const ed25519 = signature.subarray(timeBytes)
  return crypto.verify(publicKey, ed25519, message(text, time)) ? time : undefined
}

function message(text: string, time: number): Uint8Array {
  return encodeUtf8(`cosignature/v1\ntime ${time}\n${text}`)
}
