import { canonicalBytes } from '../bytes/canonical.ts'
import { equalBytes } from '../bytes/equal.ts'
import { decodeHex, encodeHex } from '../bytes/hex.ts'
import { isObject, type Json } from '../bytes/json.ts'
import { decodeCanonicalSliced } from '../bytes/scan.ts'
import type { Statement } from '../receipt/statement.ts'
import { malformed, saltsName } from './member.ts'
import { inTurns, type Pause } from './pause.ts'

/** The salt of a request's hashes, 16 bytes (design 2.6). */
export type SaltOf = (requestId: Uint8Array) => Uint8Array

const type = 'helm.salts/v1'

/** `salts.json`: the salt of every decision, by seq. Whoever has the arguments can then check them. */
export async function encodeSalts(
  statements: readonly Statement[],
  saltOf: SaltOf,
  pause: Pause,
): Promise<Uint8Array> {
  const salts: Json[] = []
  for (const statement of statements) {
    if (statement.kind !== 'decision') continue
    const salt = encodeHex(saltOf(decodeHex(statement.request_id, 16, 'request_id')))
    salts.push({ salt, seq: statement.seq })
    await pause()
  }
  return canonicalBytes({ salts, type })
}

/** Checks that there is a salt for each decision, and no other. Throws `EVIDENCE_INVALID`. */
export async function checkSalts(
  bytes: Uint8Array,
  statements: readonly Statement[],
  pause: Pause,
): Promise<void> {
  const limits = {
    maxBytes: bytes.length,
    code: 'EVIDENCE_INVALID',
    notCanonical: 'EVIDENCE_INVALID',
    what: saltsName,
    elementsOf: 'salts',
  } as const
  const document = await inTurns(decodeCanonicalSliced(bytes, limits), pause)
  const list = isObject(document) ? document['salts'] : undefined
  const salts = Array.isArray(list) ? list.map(saltIn) : []
  const next = salts[Symbol.iterator]()
  const saltOf = () => next.next().value ?? new Uint8Array()
  if (!equalBytes(bytes, await encodeSalts(statements, saltOf, pause))) {
    throw malformed(`${saltsName} must have one salt of 16 bytes for each decision, and no more`)
  }
}

function saltIn(entry: Json): Uint8Array {
  const salt = isObject(entry) ? entry['salt'] : undefined
  return decodeHex(typeof salt === 'string' ? salt : '', 16, 'a salt', 'EVIDENCE_INVALID')
}
