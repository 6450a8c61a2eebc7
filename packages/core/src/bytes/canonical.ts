import canonicalize from 'canonicalize'
import { KernelError } from '../error.ts'
import { isObject, type Json, maxDepth } from './json.ts'
import { encodeUtf8 } from './utf8.ts'

/**
 * The canonical text of a value (RFC 8785). Throws `BYTES_INVALID` when it has none: a number that is
 * not finite, a lone surrogate, more than 64 levels.
 */
export function canonical(value: Json): string {
  if (isOrdered(value, maxDepth)) {
    // The same text as canonicalize makes, several times faster; but a lone surrogate, which
    // JSON.stringify escapes as \ud800 and the like, is left to canonicalize to refuse.
    const text = JSON.stringify(value)
    if (!text.includes('\\ud')) return text
  }
  try {
    return canonicalize(value) ?? ''
  } catch (cause) {
    throw new KernelError('BYTES_INVALID', 'a value has no canonical JSON', { cause })
  }
}

/** The canonical text in UTF-8. */
export function canonicalBytes(value: Json): Uint8Array {
  return encodeUtf8(canonical(value))
}

/** Whether all members stand in canonical order and all numbers are finite. Walks the whole value. */
function isOrdered(value: Json | undefined, depth: number): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return true
  if (depth === 0) throw new KernelError('BYTES_INVALID', `nested deeper than ${maxDepth}`)
  let ordered = true
  if (isObject(value)) {
    let last = ''
    for (const name in value) {
      if (name < last) ordered = false
      if (!isOrdered(value[name], depth - 1)) ordered = false
      last = name
    }
  } else {
    for (const item of value) if (!isOrdered(item, depth - 1)) ordered = false
  }
  return ordered
}
