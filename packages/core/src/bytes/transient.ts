const memory = new Uint8Array(65_536)

/**
 * The parts, one after another, in memory that the next call writes over: for what is hashed or signed
 * at once, and kept by nobody. Every receipt needs several, and to make an array costs more than to
 * fill it.
 */
export function transient(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const whole = length <= memory.length ? memory.subarray(0, length) : new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
