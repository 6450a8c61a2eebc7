const form = /^seq:([1-9]\d{0,15})$/

/** Where a list goes on: after a place in the scope's chain, which no later receipt can move. */
export function encodeCursor(seq: number): string {
  return btoa(`seq:${seq}`).replaceAll('=', '')
}

/** Undefined when it is none that `encodeCursor` made. */
export function decodeCursor(cursor: string): number | undefined {
  const seq = Number(form.exec(decoded(cursor))?.[1])
  return Number.isSafeInteger(seq) && encodeCursor(seq) === cursor ? seq : undefined
}

function decoded(cursor: string): string {
  try {
    return atob(cursor)
  } catch {
    return ''
  }
}
