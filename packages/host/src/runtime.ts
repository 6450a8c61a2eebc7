import type { App } from '@helm-ai-kernel/http'
import type { Sources } from './source/sources.ts'

/** What the server needs of the runtime that it runs on; an adapter gives it. */
export interface Runtime {
  /** Such as `node 20.20.2`. */
  readonly name: string
  /** Binds a listener; rejects with the error of the platform, such as one with code `EADDRINUSE`. */
  listen(app: App, at: ListenAt): Promise<Listener>
  /** Tells of each signal that asks the process to end, until the function it returns is called. */
  onSignal(tell: (signal: Signal) => void): () => void
  /** Ends the process at once. */
  exit(code: number): void
  /** Policy sources of this build, by kind, beside or instead of the host's own. */
  readonly sources?: Sources
}

export type Signal = 'SIGINT' | 'SIGTERM'

export interface ListenAt {
  readonly host: string
  /** 0 for a free one. */
  readonly port: number
  readonly maxConnections: number
}

export interface Listener {
  /** The one that was bound. */
  readonly port: number
  /** Takes no new request; resolves when every request that it took is answered. */
  close(): Promise<void>
  /** Ends every connection. */
  abort(): void
}
