import { KernelError } from '@helm-ai-kernel/core'

const newline = 0x0a

/** The lines of a stream, without their ends. Throws `SOURCE_TOO_LARGE` for one over `maxBytes`. */
export async function* linesOf(
  pieces: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Uint8Array, void, void> {
  let begun: Uint8Array[] = []
  let length = 0
  for await (const piece of pieces) {
    let start = 0
    for (let end = piece.indexOf(newline); end >= 0; end = piece.indexOf(newline, start)) {
      yield Buffer.concat([...begun, piece.subarray(start, end)])
      begun = []
      length = 0
      start = end + 1
    }
    begun.push(piece.subarray(start))
    length += piece.length - start
    if (length > maxBytes) {
      throw new KernelError('SOURCE_TOO_LARGE', `a line of the watch is over ${maxBytes} bytes`)
    }
  }
}
