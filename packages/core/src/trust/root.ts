import type { Digest } from '../bytes/digest.ts'
import { digest } from '../bytes/digest.ts'
import { decodeJson } from '../bytes/decode.ts'
import { parsePublicKey } from '../crypto/public-key.ts'
import { KernelError } from '../error.ts'
import type { Crypto } from '../ports/crypto.ts'
import * as v from '../schema.ts'
import { type KeyId, keyIdOf } from '../crypto/key-id.ts'
import { type Scope, scopeKey, scopeOf } from './scope.ts'

/** A key that may sign policy, and for which scopes: `*`, `tenant/*` or `tenant/workspace`. */
export interface TrustKey {
  readonly keyId: KeyId
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  readonly scopes: readonly string[]
}

/** Who may sign policy, and how many of them must (design 2.5). Local configuration, never delivered. */
export interface TrustRoot {
  readonly version: number
  /** Distinct keys, allowed for the scope, whose signatures a bundle needs. */
  readonly threshold: number
  readonly keys: readonly TrustKey[]
  /** By `tenant/workspace`: no signed bundle below this epoch. */
  readonly epochFloor: ReadonlyMap<string, number>
  /** Of the bytes it was read from; undefined for the short form. */
  readonly digest: Digest | undefined
}

const scopePattern = v.pipe(
  v.string(),
  v.regex(/^(\*|[A-Za-z0-9][A-Za-z0-9._-]{0,62}\/(\*|[A-Za-z0-9][A-Za-z0-9._-]{0,62}))$/),
)
const positive = v.pipe(v.number(), v.integer(), v.minValue(1))

const document = v.strictObject({
  type: v.literal('helm.trust-root/v1'),
  version: positive,
  threshold: v.pipe(positive, v.maxValue(16)),
  keys: v.pipe(
    v.array(
      v.strictObject({
        key_id: v.string(),
        public_key: v.string(),
        scopes: v.pipe(v.array(scopePattern), v.minLength(1), v.maxLength(10_000)),
      }),
    ),
    v.minLength(1),
    v.maxLength(64),
  ),
  epoch_floor: v.optional(
    v.record(
      v.pipe(
        v.string(),
        v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}\/[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/),
      ),
      positive,
    ),
  ),
})

/** No key: nothing signed can be verified, and unsigned policy is taken unless signatures are required. */
export const noTrust: TrustRoot = freezeRoot([], 1)

/** Reads `helm.trust-root/v1`. Throws `TRUST_ROOT_INVALID` or `KEY_INVALID`. */
export function parseTrustRoot(bytes: Uint8Array, crypto: Crypto): TrustRoot {
  const code = 'TRUST_ROOT_INVALID'
  const json = decodeJson(bytes, { maxBytes: 1 << 20, code, what: 'trust root' })
  const root = v.parse(document, json, code, 'trust root')
  const keys = root.keys.map((key, i): TrustKey => {
    const publicKey = parsePublicKey(key.public_key, `keys[${i}].public_key`)
    const keyId = keyIdOf(crypto, publicKey)
    if (keyId !== key.key_id) {
      throw new KernelError(code, `key_id of this public key is ${keyId}`, {
        at: `keys[${i}].key_id`,
      })
    }
    return Object.freeze({ keyId, publicKey, scopes: Object.freeze([...key.scopes]) })
  })
  return checked(
    freezeRoot(
      keys,
      root.threshold,
      root.version,
      new Map(Object.entries(root.epoch_floor ?? {})),
      digest(crypto, bytes),
    ),
  )
}

/**
 * The short form: any one of these public keys (64 hex each) may sign for every scope.
 * Throws `KEY_INVALID`, or `TRUST_ROOT_INVALID` when a key stands twice.
 */
export function trustKeys(publicKeys: readonly string[], crypto: Crypto): TrustRoot {
  const keys = publicKeys.map((hex, i): TrustKey => {
    const publicKey = parsePublicKey(hex, `trust key ${i + 1}`)
    return Object.freeze({ keyId: keyIdOf(crypto, publicKey), publicKey, scopes: ['*'] })
  })
  return checked(freezeRoot(keys, 1))
}

/** The keys that may sign for `scope`. */
export function keysFor(root: TrustRoot, scope: Scope): readonly TrustKey[] {
  return root.keys.filter((key) => key.scopes.some((pattern) => covers(pattern, scopeKey(scope))))
}

function covers(pattern: string, scope: string): boolean {
  return (
    pattern === '*' ||
    pattern === scope ||
    (pattern.endsWith('/*') && scope.startsWith(pattern.slice(0, -1)))
  )
}

function freezeRoot(
  keys: readonly TrustKey[],
  threshold: number,
  version = 1,
  epochFloor: ReadonlyMap<string, number> = new Map(),
  rootDigest?: Digest,
): TrustRoot {
  return Object.freeze({ version, threshold, keys, epochFloor, digest: rootDigest })
}

function checked(root: TrustRoot): TrustRoot {
  const ids = root.keys.map((key) => key.keyId)
  const twice = ids.find((id, i) => ids.indexOf(id) !== i)
  if (twice !== undefined) {
    throw new KernelError('TRUST_ROOT_INVALID', `${twice} stands twice: remove one`)
  }
  for (const pattern of new Set(root.keys.flatMap((key) => key.scopes))) {
    const able = root.keys.filter((key) => key.scopes.some((own) => covers(own, pattern)))
    if (able.length < root.threshold) {
      throw new KernelError(
        'TRUST_ROOT_INVALID',
        `threshold is ${root.threshold}, but only ${able.length} keys may sign for ${pattern}: ` +
          'add keys or lower the threshold',
        { at: 'threshold' },
      )
    }
  }
  for (const scope of root.epochFloor.keys()) {
    const [tenantId = '', workspaceId = ''] = scope.split('/')
    scopeOf(tenantId, workspaceId)
  }
  return root
}
