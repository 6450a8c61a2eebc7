import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { KernelError } from '@helm-ai-kernel/core'

/** What came back over HTTP. */
export interface Answer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /** Of an answer that is no success not more than the first 64 KiB. */
  readonly bytes: Uint8Array
}

export interface AnswerOptions {
  readonly maxBytes: number
  readonly taken?: (bytes: number) => void
  /** Who answers, for messages. */
  readonly place: string
  /** Called for the head of the answer and for each piece of its body. */
  readonly heard: () => void
}

const maxErrorBytes = 65_536

/**
 * Reads an answer to its end, if its head says nothing against that. Throws `SOURCE_UNREACHABLE` for a
 * redirect or an encoding, `SOURCE_TOO_LARGE`, and whatever the connection throws.
 */
export async function readAnswer(
  incoming: IncomingMessage,
  { maxBytes, taken, place, heard }: AnswerOptions,
): Promise<Answer> {
  const { statusCode: status = 0, headers } = incoming
  const isGood = status < 300
  const most = isGood ? maxBytes : Math.min(maxBytes, maxErrorBytes)
  const tooLarge = (): KernelError =>
    new KernelError('SOURCE_TOO_LARGE', `${place} answered with more than ${most} bytes`)
  checkHead(status, headers, place)
  if (isGood && Number(headers['content-length'] ?? 0) > most) throw tooLarge()

  const pieces: Uint8Array[] = []
  let length = 0
  heard()
  for await (const piece of incoming as AsyncIterable<Uint8Array>) {
    heard()
    if (length + piece.length > most) {
      if (isGood) throw tooLarge()
      break
    }
    taken?.(piece.length)
    pieces.push(piece)
    length += piece.length
  }
  return { status, headers: singleLines(headers), bytes: joined(pieces, length) }
}

function checkHead(status: number, headers: IncomingHttpHeaders, place: string): void {
  const { 'content-encoding': encoding = 'identity' } = headers
  const isRedirect = status >= 300 && status < 400 && status !== 304
  if (!isRedirect && encoding === 'identity') return
  throw new KernelError(
    'SOURCE_UNREACHABLE',
    isRedirect
      ? `${place} answered with a redirect (${status}), which is not followed: name the place itself`
      : `${place} answered in an encoding that was not asked for: let it send plain bytes`,
  )
}

/** Without `set-cookie`, the one header that Node gives as a list. */
function singleLines(headers: IncomingHttpHeaders): Answer['headers'] {
  return Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string] => !Array.isArray(entry[1])),
  )
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}
