import {
  type Crypto,
  encodeHex,
  type ReceiptStore,
  type Scope,
  scopeKey,
} from '@helm-ai-kernel/core'

/** Places in one scope's chain, which no later receipt can move, as clients are given them. */
export interface Cursors {
  /** After the receipt of this seq; 0 for the beginning. */
  encode(seq: number): string
  /** Undefined when it is none that `encode` made for this scope and ledger. */
  decode(cursor: string): number | undefined
}

const form = /^seq:(0|[1-9]\d{0,15}):/

/**
 * Gives the cursors of scopes of one ledger, whose id is read once. For all of its life a ledger has one,
 * or none in memory.
 */
export function createCursors(
  crypto: Crypto,
  receipts: Pick<ReceiptStore, 'state'>,
): (scope: Scope) => Promise<Cursors> {
  let ledgerId: string | undefined
  return async (scope) => {
    ledgerId ??= (await receipts.state()).identity?.ledgerId
    return cursorsOf(crypto, scope, ledgerId ?? '')
  }
}

/**
 * A cursor carries a mark of its scope and ledger, so that a list never goes on where another one was:
 * in a ledger that was made anew it would leave receipts out.
 */
export function cursorsOf(crypto: Crypto, scope: Scope, ledgerId: string): Cursors {
  const text = new TextEncoder().encode(`helm.cursor/v1\n${ledgerId}\n${scopeKey(scope)}\n`)
  const mark = encodeHex(crypto.sha256(text).subarray(0, 4))

  function encode(seq: number): string {
    return btoa(`seq:${seq}:${mark}`).replaceAll('=', '')
  }

  return {
    encode,
    decode(cursor) {
      const seq = Number(form.exec(decoded(cursor))?.[1])
      return Number.isSafeInteger(seq) && encode(seq) === cursor ? seq : undefined
    },
  }
}

function decoded(cursor: string): string {
  try {
    return atob(cursor)
  } catch {
    return ''
  }
}
