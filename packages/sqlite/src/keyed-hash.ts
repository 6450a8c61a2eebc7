/** 48 bits of a text under a key that nobody outside knows. */
export type KeyedHash = (text: string, tweak: number) => number

const finalRounds = 3

/**
 * A hash in the manner of HalfSipHash-1-3 (Aumasson and Bernstein) over UTF-16 units, two a word. Rows
 * stay small and bounded however long the texts are, and who chooses texts cannot make two of them
 * meet. `tweak`, below 256, sets apart texts that mean different things.
 */
export function keyedHash(key0: number, key1: number): KeyedHash {
  return (text, tweak) => {
    let v0 = key0
    let v1 = key1 ^ 0xee
    let v2 = key0 ^ 0x6c796765
    let v3 = key1 ^ 0x74656462
    let low = 0
    const words = (text.length + 1) >> 1
    // One loop for all rounds: in functions of their own, or unrolled, they cost five times as much.
    for (let at = 0; at < words + 1 + 2 * finalRounds; at++) {
      let word = 0
      if (at < words) word = text.charCodeAt(2 * at) | (text.charCodeAt(2 * at + 1) << 16)
      else if (at === words) word = (text.length << 8) | tweak
      else if (at === words + 1) v2 ^= 0xee
      else if (at === words + 1 + finalRounds) {
        low = (v1 ^ v3) >>> 0
        v1 ^= 0xdd
      }
      v3 ^= word
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
      v0 ^= word
    }
    return low * 0x10000 + ((v1 ^ v3) & 0xffff)
  }
}
