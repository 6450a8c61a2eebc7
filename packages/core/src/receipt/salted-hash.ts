import { type Digest, digest } from '../bytes/digest.ts'
import { canonicalBytes } from '../bytes/canonical.ts'
import type { Json } from '../bytes/json.ts'
import { transient } from '../bytes/transient.ts'
import { encodeUtf8 } from '../bytes/utf8.ts'
import type { Crypto } from '../ports/crypto.ts'

type Label = 'args' | 'context' | 'output'

const labels: Readonly<Record<Label, Uint8Array>> = {
  args: encodeUtf8('helm.args/v1\0'),
  context: encodeUtf8('helm.context/v1\0'),
  output: encodeUtf8('helm.output/v1\0'),
}

/**
 * SHA-256 over a label, a zero byte, the salt and the canonical bytes of a value (design 2.6). Without
 * the salt nobody can guess a small value from its hash.
 */
export function saltedHash(crypto: Crypto, label: Label, salt: Uint8Array, value: Json): Digest {
  return digest(crypto, transient(labels[label], salt, canonicalBytes(value)))
}
