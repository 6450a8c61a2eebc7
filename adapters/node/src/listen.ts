import { createServer, type Server, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { type Listener, problem, type Runtime } from '@helm-ai-kernel/host'

const options = {
  // Slow clients are cut off; Node looks for them every 30 s unless told to look more often.
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 1_000,
  // A request without Host is refused all the same, but with a problem and not with an empty answer.
  requireHostHeader: false,
}

/** How often a server that is closing looks for connections that have become idle, in ms. */
const sweepInterval = 50

/** How long a client may take nothing of its answer, in ms: one that never reads would hold its place. */
const patience = 60_000

/** Serves `app` on a Node HTTP server. Rejects with Node's error, such as one with code `EADDRINUSE`. */
export const listen: Runtime['listen'] = listenWith(patience)

export function listenWith(patience: number): Runtime['listen'] {
  return (app, { host, port, maxConnections }) => {
    const answer = getRequestListener(app.fetch, {
      errorHandler: () => new Response(malformed.body, { status: malformed.status, headers }),
    })
    const server = createServer(options, (incoming, outgoing) => void answer(incoming, outgoing))
    server.maxConnections = maxConnections
    server.on('clientError', refuse)
    // A connection on which there is nothing to say may be silent as long as it wants.
    server.setTimeout(patience, (socket) => {
      if (socket.writableLength > 0) socket.destroy()
    })
    return new Promise((resolve, reject) => {
      // It stays: once bound, an accept that fails, for want of file descriptors, ends nothing.
      server.on('error', reject)
      server.listen(port, host, () => resolve(listenerOf(server)))
    })
  }
}

function listenerOf(server: Server): Listener {
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: () =>
      new Promise((resolve) => {
        // Closing ends the connections that are idle now, not those that become so with their answer.
        const sweep = setInterval(() => server.closeIdleConnections(), sweepInterval)
        server.close(() => {
          clearInterval(sweep)
          resolve()
        })
      }),
    abort() {
      server.close()
      server.closeAllConnections()
    },
  }
}

const headers = { 'content-type': 'application/problem+json' }

const malformed = problem(
  { refused: 'REQUEST_MALFORMED', detail: 'this is no HTTP request with one path and one Host' },
  '',
  '',
)
const slow = problem(
  { refused: 'REQUEST_TIMEOUT', detail: 'the request did not come within 30 seconds' },
  '',
  '',
)
const large = problem({ refused: 'TOO_LARGE', detail: 'the headers have more than 16 KiB' }, '', '')
/** By Node's error; any other is malformed. */
const refusals: Readonly<Record<string, typeof malformed>> = {
  ERR_HTTP_REQUEST_TIMEOUT: slow,
  HPE_HEADER_OVERFLOW: large,
}

/** Answers what Node refused before it was a request. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const { status, body } = refusals[error.code ?? ''] ?? malformed
  const text = typeof body === 'string' ? body : ''
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
      `content-type: ${headers['content-type']}`,
      `content-length: ${Buffer.byteLength(text)}`,
      'connection: close',
      '',
      text,
    ].join('\r\n'),
  )
}
