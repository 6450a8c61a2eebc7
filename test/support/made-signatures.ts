import { createHash } from 'node:crypto'
import { Point, utils } from '@noble/ed25519'

// Signatures that no honest signer makes, to tell one accept set from another. Each satisfies the
// cofactored equation [8][S]B = [8]R + [8][k]A; which satisfy the cofactorless one is the point.

const L = Point.CURVE().n
const r = 0x1234567890abcdefn

/** A point of order 8, in RFC 8032 encoding. */
const T = Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a')

export interface Made {
  readonly publicKey: Uint8Array
  readonly signature: Uint8Array
  readonly message: Uint8Array
}

/** R = rB + T: an honest key, and a signature of which the cofactorless equation misses by T. */
export function torsionInR(seed: Uint8Array, message: Uint8Array): Made {
  const { scalar, pointBytes } = utils.getExtendedPublicKey(seed)
  const R = Point.BASE.multiply(r).add(T).toBytes()
  return make(pointBytes, scalar, R, r, message)
}

/** A = aB + T: the cofactorless equation misses by [k]T, so it holds exactly when 8 divides k. */
export function torsionInA(seed: Uint8Array, message: Uint8Array): Made & { holds: boolean } {
  const { scalar, point } = utils.getExtendedPublicKey(seed)
  const publicKey = point.add(T).toBytes()
  const R = Point.BASE.multiply(r).toBytes()
  const holds = challenge(R, publicKey, message) % 8n === 0n
  return { ...make(publicKey, scalar, R, r, message), holds }
}

/** r = 0, so R is the identity, written as given: it has one canonical encoding and three others. */
export function identityR(seed: Uint8Array, message: Uint8Array, R: Uint8Array): Made {
  const { scalar, pointBytes } = utils.getExtendedPublicKey(seed)
  return make(pointBytes, scalar, R, 0n, message)
}

/** The same signature with S + L for S: the same to whoever reduces before looking. */
export function unreducedS({ publicKey, signature, message }: Made): Made {
  const S = littleEndian(signature.subarray(32)) + L
  return { publicKey, signature: join(signature.subarray(0, 32), bytesOf(S)), message }
}

/** y = p + i with either sign: every encoding of a point whose y is not reduced. */
export function unreducedKeys(): readonly Uint8Array[] {
  const { p } = Point.CURVE()
  const ys = Array.from({ length: 19 }, (_, i) => p + BigInt(i))
  return ys.flatMap((y) => [bytesOf(y), bytesOf(y + (1n << 255n))])
}

function make(
  publicKey: Uint8Array,
  scalar: bigint,
  R: Uint8Array,
  nonce: bigint,
  message: Uint8Array,
): Made {
  const S = (nonce + challenge(R, publicKey, message) * scalar) % L
  return { publicKey, signature: join(R, bytesOf(S)), message }
}

function challenge(...parts: readonly Uint8Array[]): bigint {
  return (
    littleEndian(
      createHash('sha512')
        .update(join(...parts))
        .digest(),
    ) % L
  )
}

function bytesOf(value: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(64, '0'), 'hex')).reverse()
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(Uint8Array.from(bytes).reverse()).toString('hex')}`)
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}
