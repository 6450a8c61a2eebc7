import canonicalize from 'canonicalize'
import type { Json } from './json.ts'
import { encodeUtf8 } from './utf8.ts'

/** RFC 8785. */
export function canonical(value: Json): string {
  return canonicalize(value) ?? ''
}

export function canonicalBytes(value: Json): Uint8Array {
  return encodeUtf8(canonical(value))
}
