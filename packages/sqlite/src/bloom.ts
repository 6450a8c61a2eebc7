/** Which hashes a block of rows may have: never wrong when it says no. */
export interface Bloom {
  add(hash: number): void
  has(hash: number): boolean
}

// Three bits a hash, of 15 bits each. With 512 rows of nine hashes, all different, one block in thirty
// is scanned for nothing; with rows as they come, one in thousands.
const bits = 1 << 15

export function createBloom(): Bloom {
  const words = new Uint32Array(bits / 32)
  const set = (bit: number): void => {
    words[bit >>> 5] = (words[bit >>> 5] ?? 0) | (1 << (bit & 31))
  }
  const isSet = (bit: number): boolean => (((words[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) === 1
  const first = (hash: number): number => hash % bits
  const second = (hash: number): number => Math.floor(hash / bits) % bits
  const third = (hash: number): number => Math.floor(hash / (bits * bits)) % bits
  return {
    add(hash) {
      set(first(hash))
      set(second(hash))
      set(third(hash))
    },
    has: (hash) => isSet(first(hash)) && isSet(second(hash)) && isSet(third(hash)),
  }
}
