import { type Client, type Row, sqlStateOf, type Statement } from './client.ts'
import { closed, errorOf, faultFrom } from './fault.ts'

/** Connections for what changes no log: made when they are needed, given up when they fail. */
export interface Pool {
  /**
   * Rejects with a KernelError. A statement is sent once more when its connection is lost: it must be
   * one that may happen twice.
   */
  run(statement: Statement, deadline?: number): Promise<readonly Row[]>
  close(): Promise<void>
}

/** Makes so many connections at most. */
export function createPool(connect: () => Promise<Client>, size: number): Pool {
  let clients: Promise<Client>[] = []
  let turn = 0
  let isClosed = false

  async function client(): Promise<Client> {
    const place = turn++ % size
    const held = await clients[place]?.catch(() => undefined)
    if (held?.lost === false) return held
    // Of all who find it lost the first one makes another.
    const current = clients[place]
    if (current !== undefined && (await settled(current))?.lost === false) return current
    const made = connect()
    clients[place] = made
    return made
  }

  return {
    async run(statement, deadline) {
      for (let attempt = 0; ; attempt++) {
        if (isClosed) throw errorOf(closed)
        try {
          return await (await client()).run(statement, deadline)
        } catch (error) {
          if (attempt === 0 && sqlStateOf(error) === undefined) continue
          throw errorOf(faultFrom(error), error)
        }
      }
    },
    async close() {
      isClosed = true
      const closing = clients
      clients = []
      await Promise.all(closing.map(async (one) => (await settled(one))?.close()))
    },
  }
}

async function settled(client: Promise<Client>): Promise<Client | undefined> {
  return client.catch(() => undefined)
}
