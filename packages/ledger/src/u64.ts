const word = 2 ** 32

/** Writes `value`, at most 2^53 − 1, as u64le. */
export function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % word, true)
  view.setUint32(at + 4, Math.floor(value / word), true)
}

/** Reads a u64le; beyond 2^53 − 1 the result is no safe integer. */
export function getU64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * word
}
