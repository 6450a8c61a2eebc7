import { createServer, type Socket, connect } from 'node:net'

/**
 * What becomes of the next COMMIT: it passes, its answer is swallowed, it never arrives, or from then on
 * nothing does until the thaw.
 */
export type Fate = 'pass' | 'swallow-answer' | 'never-arrive' | 'freeze'

export interface Proxy {
  readonly port: number
  /** Of the next COMMIT; all connections are cut after it, once, or freeze. */
  next: Fate
  /** Resolves when it has happened. */
  readonly cut: Promise<void>
  thaw(): void
  end(): Promise<void>
}

/** Stands between a replica and the server. */
export async function startProxy(target: number): Promise<Proxy> {
  const sockets = new Set<Socket>()
  let isFrozen = false
  let told: () => void = () => undefined
  const cut = new Promise<void>((resolve) => (told = resolve))
  const cutAll = (): void => {
    proxy.next = 'pass'
    for (const socket of sockets) socket.destroy()
    told()
  }
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1')
    let isSwallowing = false
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => sockets.delete(socket))
    }
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
    client.on('data', (chunk) => {
      const commits = chunk.includes('COMMIT\0')
      if (commits && proxy.next === 'freeze') {
        isFrozen = true
        told()
      }
      if (isFrozen) return
      if (commits && proxy.next === 'never-arrive') {
        cutAll()
        return
      }
      isSwallowing ||= commits && proxy.next === 'swallow-answer'
      upstream.write(chunk)
    })
    upstream.on('data', (chunk) => {
      if (isFrozen) return
      if (!isSwallowing) client.write(chunk)
      else if (chunk.includes('COMMIT\0')) cutAll()
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  const proxy: Proxy = {
    port: address.port,
    next: 'pass',
    cut,
    thaw() {
      isFrozen = false
      cutAll()
    },
    async end() {
      for (const socket of sockets) socket.destroy()
      await new Promise((closed) => server.close(closed))
    },
  }
  return proxy
}
