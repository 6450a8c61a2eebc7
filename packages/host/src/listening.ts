import { isIPv6 } from 'node:net'
import { KernelError } from '@helm-ai-kernel/core'
import type { App } from '@helm-ai-kernel/http'
import type { Configuration } from './configuration/index.ts'
import type { Listener, Runtime } from './runtime.ts'

/** The listeners of a server, bound. */
export interface Listening {
  /** Where each is reached, by name: `http://127.0.0.1:8080`. */
  readonly addresses: Readonly<Record<'api' | 'health', string>>
  /** Takes no new request; resolves when every request that was taken is answered. */
  close(): Promise<void>
  /** Ends every connection. */
  abort(): void
}

/**
 * Binds every listener, or none. Throws one `CONFIG_INVALID` that names each port that could not be
 * bound, and how to choose another.
 */
export async function bindAll(
  runtime: Runtime,
  apps: Readonly<Record<'api' | 'health', App>>,
  { bindAddr: host, port, healthPort, maxConnections }: Configuration,
): Promise<Listening> {
  const [api, health] = await Promise.allSettled([
    runtime.listen(apps.api, { host, port, maxConnections }),
    runtime.listen(apps.health, { host, port: healthPort, maxConnections }),
  ])
  if (api.status === 'fulfilled' && health.status === 'fulfilled') {
    const bound = [api.value, health.value]
    return {
      addresses: { api: urlOf(host, api.value), health: urlOf(host, health.value) },
      async close() {
        await Promise.all(bound.map((listener) => listener.close()))
      },
      abort: () => bound.forEach((listener) => listener.abort()),
    }
  }
  const faults: string[] = []
  if (api.status === 'rejected') faults.push(why(api.reason, host, port, 'HELM_PORT or --port'))
  else api.value.abort()
  if (health.status === 'rejected') {
    faults.push(why(health.reason, host, healthPort, 'HELM_HEALTH_PORT'))
  } else health.value.abort()
  throw new KernelError('CONFIG_INVALID', faults.join('\n'))
}

/** Whether only this machine reaches the address. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || address.startsWith('127.')
}

function urlOf(host: string, { port }: Listener): string {
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}`
}

function why(error: unknown, host: string, port: number, setting: string): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const other = `choose another with ${setting}; 0 takes a free one`
  if (code === 'EADDRINUSE') return `port ${port} of ${host} is in use by another process: ${other}`
  if (code === 'EACCES') return `port ${port} is not for this user: ${other}`
  if (code === 'EADDRNOTAVAIL') {
    return `${host} is no address of this machine: choose one with HELM_BIND_ADDR or --addr`
  }
  const message = error instanceof Error ? error.message : String(error)
  return `port ${port} of ${host} cannot be bound: ${message}`
}
