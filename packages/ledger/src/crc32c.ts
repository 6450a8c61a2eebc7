/** Table n, at n · 256, carries a byte past n more bytes. */
const tables = makeTables()

/**
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `bytes` from `from` to `to`, exclusive. Tells a torn
 * or rotten frame from a whole one; it proves nothing against a person, the signatures do.
 */
export function crc32c(bytes: Uint8Array, from: number, to: number): number {
  let crc = -1
  let i = from
  // Eight bytes a step through eight tables: every append runs through here.
  for (; i + 8 <= to; i += 8) {
    crc ^=
      at(bytes, i) | (at(bytes, i + 1) << 8) | (at(bytes, i + 2) << 16) | (at(bytes, i + 3) << 24)
    crc =
      table(0x700 | (crc & 255)) ^
      table(0x600 | ((crc >>> 8) & 255)) ^
      table(0x500 | ((crc >>> 16) & 255)) ^
      table(0x400 | (crc >>> 24)) ^
      table(0x300 | at(bytes, i + 4)) ^
      table(0x200 | at(bytes, i + 5)) ^
      table(0x100 | at(bytes, i + 6)) ^
      table(at(bytes, i + 7))
  }
  for (; i < to; i++) crc = table((crc ^ at(bytes, i)) & 255) ^ (crc >>> 8)
  return ~crc >>> 0
}

function at(bytes: Uint8Array, i: number): number {
  return bytes[i] ?? 0
}

function table(i: number): number {
  return tables[i] ?? 0
}

function makeTables(): Uint32Array {
  const made = new Uint32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
    made[byte] = crc
  }
  for (let i = 256; i < made.length; i++) {
    const before = made[i - 256] ?? 0
    made[i] = (before >>> 8) ^ (made[before & 255] ?? 0)
  }
  return made
}
