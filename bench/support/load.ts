import { connect, type Socket } from 'node:net'

const end = Buffer.from('\r\n\r\n')

/**
 * Sends the same request over `connections` sockets, each the next when it has the answer, for `count`
 * answers in all. Raw sockets: a client of the platform would cost more than some of what is measured.
 * Resolves to answers a second; throws at the first answer that is not 200.
 */
export async function load(
  port: number,
  request: Buffer,
  connections: number,
  count: number,
): Promise<number> {
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(port)))
  const begun = performance.now()
  let left = count
  await Promise.all(
    sockets.map(async (socket) => {
      const answers = answersOf(socket)
      while (left-- > 0) {
        socket.write(request)
        const answer: IteratorResult<number, unknown> = await answers.next()
        if (answer.value !== 200) throw new Error(`the answer was ${String(answer.value)}`)
      }
    }),
  )
  const seconds = (performance.now() - begun) / 1000
  for (const socket of sockets) socket.destroy()
  return count / seconds
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket))
    socket.once('error', reject)
  })
}

/** The status of each answer, which must have a content-length. */
async function* answersOf(socket: Socket): AsyncGenerator<number> {
  let bytes: Buffer = Buffer.alloc(0)
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
    for (;;) {
      const head = bytes.indexOf(end)
      if (head === -1) break
      const text = bytes.toString('latin1', 0, head)
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1])
      const next = head + end.length + length
      if (bytes.length < next) break
      bytes = bytes.subarray(next)
      yield Number(text.slice(9, 12))
    }
  }
}
