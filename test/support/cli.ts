import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Command, type Io, runCli } from '@helm-ai-kernel/cli'
import type { App } from '@helm-ai-kernel/http'

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly isTty?: boolean
  readonly stdin?: string
  readonly extra?: Readonly<Record<string, Command>>
}

/** A folder of its own, and the command line run in it, in this process. */
export interface Bench {
  readonly folder: string
  run(args: readonly string[], options?: CliOptions): Promise<Outcome>
  /** The one document of `--json`, which is added. */
  json(args: readonly string[], options?: CliOptions): Promise<Record<string, unknown>>
  write(name: string, content: string | Uint8Array): void
  read(name: string): Uint8Array
  text(name: string): string
  readonly remove: () => void
}

export function cliBench(): Bench {
  const folder = mkdtempSync(join(tmpdir(), 'helm-cli-'))
  const bench: Bench = {
    folder,
    async run(args, { env = {}, isTty = false, stdin = '', extra = {} } = {}) {
      let stdout = ''
      let stderr = ''
      const io: Io = {
        stdout: (text) => (stdout += text),
        stderr: (text) => (stderr += text),
        env,
        isTty,
        cwd: folder,
        readStdin: async () => new TextEncoder().encode(stdin),
      }
      const code = await runCli(args, io, extra)
      return { code, stdout, stderr }
    },
    async json(args, options) {
      const { stdout } = await bench.run([...args, '--json'], options)
      return JSON.parse(stdout) as Record<string, unknown>
    },
    write: (name, content) => writeFileSync(join(folder, name), content),
    read: (name) => new Uint8Array(readFileSync(join(folder, name))),
    text: (name) => readFileSync(join(folder, name), 'utf8'),
    remove: () => rmSync(folder, { recursive: true }),
  }
  return bench
}

/** Serves an app on a free port of loopback until `close`. */
export async function serveApp(app: App): Promise<{ readonly url: string; close(): void }> {
  const server = createServer((incoming, outgoing) => {
    void answer(incoming).then(async (response) => {
      outgoing.writeHead(response.status, Object.fromEntries(response.headers))
      outgoing.end(new Uint8Array(await response.arrayBuffer()))
    })
  })
  async function answer(incoming: IncomingMessage): Promise<Response> {
    const headers = Object.entries(incoming.headers).map(([name, value]) => [name, String(value)])
    const { method = 'GET' } = incoming
    const pieces: Buffer[] = []
    for await (const piece of incoming) pieces.push(piece as Buffer)
    const request = new Request(`http://${incoming.headers.host ?? ''}${incoming.url ?? ''}`, {
      method,
      headers: Object.fromEntries(headers) as Record<string, string>,
      ...(pieces.length > 0 && { body: Buffer.concat(pieces) }),
    })
    return app.fetch(request)
  }
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() }
}
