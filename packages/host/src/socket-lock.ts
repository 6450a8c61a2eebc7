import { Buffer } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import fs from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Held,
  type Holder,
  isObject,
  type Json,
  KernelError,
  type Lock,
} from '@helm-ai-kernel/core'

/** sun_path has 104 to 108 bytes, and Node cuts a longer one without a word. */
const longestAddress = 100
const answerTimeout = 2000
/** Others may be clearing the same dead lock: it takes them a moment. */
const attempts = 200
const pause = 5

/** What the owner of a lock says to everybody who connects. */
interface Answer extends Holder {
  /** Of this one acquisition. */
  readonly nonce: string
}

/** What a process that connects but says nothing is called; it may be stopped, but it is there. */
const silent: Answer = { pid: 0, host: 'an unknown host', since: 'an unknown time', nonce: '' }

/**
 * A Lock that is a Unix socket (design 4.1): alive while its process is, whatever ends it. It works
 * within one machine; `root` is as that of the Disk.
 */
export function socketLock(root: string): Lock {
  return Object.freeze({
    async acquire(path, who) {
      const full = join(resolve(root), path)
      await fs.mkdir(dirname(full), { recursive: true, mode: 0o700 })
      const own: Answer = { ...who, nonce: randomUUID() }
      // Bound under a name of its own and then linked: a link is made only where there is nothing.
      const bound = `${full}.${own.nonce.slice(0, 8)}`
      const server = await serve(bound, own)
      try {
        for (let attempt = 0; attempt < attempts; attempt++) {
          const heldBy = await clear(full, bound)
          if (heldBy !== undefined) {
            server.close()
            return { heldBy }
          }
          if (await claim(bound, full, own)) return held(full, server, await identify(full))
          await sleep(pause)
        }
        throw unusable(full, 'another process takes it again and again')
      } catch (error) {
        server.close()
        throw error
      } finally {
        await fs.rm(bound, { force: true })
      }
    },
  } satisfies Lock)
}

/** Removes the lock of a process that is gone; says who holds it when one is not. */
async function clear(full: string, bound: string): Promise<Holder | undefined> {
  const found = await identify(full)
  if (found === undefined) return undefined
  const answer = await ask(full)
  if (answer !== undefined) return { pid: answer.pid, host: answer.host, since: answer.since }
  const right = `${full}.${found}`
  if (!(await link(bound, right))) {
    // Somebody else is at it, or was and is gone: then that name is cleared in the same way.
    await clear(right, bound)
    return undefined
  }
  // INVARIANT: a dead lock is removed only under a name made from its identity, and only if it is
  // still the one at the path: so nobody removes the lock that came in its place.
  try {
    if ((await identify(full)) === found) await fs.rm(full, { force: true })
  } finally {
    await fs.rm(right, { force: true })
  }
  return undefined
}

/** Whether the lock is this server's now: nobody was faster, and whoever connects reaches it. */
async function claim(bound: string, full: string, own: Answer): Promise<boolean> {
  return (await link(bound, full)) && (await ask(full))?.nonce === own.nonce
}

/** Gives a socket a second name; false when something has that name. */
async function link(bound: string, name: string): Promise<boolean> {
  try {
    await fs.link(bound, name)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

function held(full: string, server: Server, own: string | undefined): Held {
  const isOwn = async () => own !== undefined && (await identify(full)) === own
  return Object.freeze({
    async check() {
      if (await isOwn()) return
      throw new KernelError(
        'LEDGER_LOCKED',
        `${full} is no longer this process's: another one took the data directory`,
      )
    },
    async release() {
      if (await isOwn()) await fs.rm(full, { force: true })
      server.close()
    },
  })
}

/** Which socket stands at the path; undefined when none does. */
async function identify(full: string): Promise<string | undefined> {
  try {
    const found = await fs.lstat(full, { bigint: true })
    if (!found.isSocket()) throw unusable(full, 'it is no socket; move it away')
    // An inode is used again as soon as it is free: the time tells its owners apart.
    return `${found.ino}-${found.mtimeNs}`
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function serve(full: string, answer: Answer): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.end(JSON.stringify(answer))
  })
  // A lock alone keeps no process alive.
  server.unref()
  await reach(full, async (address) => {
    await new Promise<void>((done, fail) => {
      server.once('error', fail)
      server.listen(address, done)
    })
  })
  await fs.chmod(full, 0o600)
  return server
}

/** The owner's answer; undefined when nobody listens there. */
function ask(full: string): Promise<Answer | undefined> {
  return reach(
    full,
    (address) =>
      new Promise((done, fail) => {
        const socket = connect(address)
        let text = ''
        socket.setTimeout(answerTimeout, () => socket.destroy())
        socket.on('data', (chunk) => (text += chunk.toString()))
        socket.on('close', () => done(parseAnswer(text)))
        socket.on('error', (error) => {
          const code = codeOf(error)
          if (code === 'ECONNREFUSED' || code === 'ENOENT') done(undefined)
          else if (code !== 'ECONNRESET' && code !== 'EAGAIN') fail(error)
        })
      }),
  )
}

function parseAnswer(text: string): Answer {
  try {
    const answer = JSON.parse(text) as Json
    if (!isObject(answer)) return silent
    const { pid, host, since, nonce } = answer
    const isWhole = typeof host === 'string' && typeof since === 'string'
    if (!isWhole || typeof pid !== 'number' || typeof nonce !== 'string') return silent
    return { pid, host, since, nonce }
  } catch {
    return silent
  }
}

/** Calls `use` with an address of the path that is short enough for a socket. */
async function reach<T>(full: string, use: (address: string) => Promise<T>): Promise<T> {
  const length = Buffer.byteLength(full)
  if (length <= longestAddress) return use(full)
  if (process.platform !== 'linux') {
    throw unusable(
      full,
      `a Unix socket's path has at most ${longestAddress} bytes, this one ${length}; ` +
        'choose a data directory with a shorter path',
    )
  }
  const folder = await fs.open(dirname(full))
  try {
    return await use(full.replace(dirname(full), `/proc/self/fd/${folder.fd}`))
  } finally {
    await folder.close()
  }
}

function unusable(full: string, why: string): KernelError {
  return new KernelError('CONFIG_INVALID', `the lock ${full} cannot be used: ${why}`)
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
