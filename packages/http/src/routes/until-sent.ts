import type { InFlight } from '../limits/in-flight.ts'
import type { Answer } from '../route.ts'

/** What is handed on at a time. */
const pieceBytes = 256 * 1024

/**
 * Runs work that makes a large answer. INVARIANT: it counts as running until the last of it is sent or
 * nobody reads on: else clients that do not read would have the kernel hold as many as they ask for.
 */
export function untilSent(inFlight: InFlight, work: () => Promise<Answer>): Promise<Answer> {
  return new Promise((answer, fail) => {
    const sending = inFlight(async () => {
      const reply = await work()
      if ('refused' in reply || !(reply.body instanceof Uint8Array)) return reply
      const { body } = reply
      const headers = { ...reply.headers, 'content-length': String(body.length) }
      return new Promise<undefined>((sent) => {
        answer({ ...reply, headers, body: piecesOf(body, () => sent(undefined)) })
      })
    })
    sending.then((other) => other && answer(other), fail)
  })
}

function piecesOf(bytes: Uint8Array<ArrayBuffer>, end: () => void) {
  let at = 0
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      pull(controller) {
        if (at < bytes.length) {
          controller.enqueue(bytes.subarray(at, at + pieceBytes))
          at += pieceBytes
          return
        }
        end()
        controller.close()
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  )
}
