import { isIPv6 } from 'node:net'
import { KernelError } from '@helm-ai-kernel/core'
import type { App } from '@helm-ai-kernel/http'
import type { Configuration } from './configuration/index.ts'
import type { Listener, Runtime } from './runtime.ts'

/** For each listener of a server; it need not have the last two. */
export interface PerListener<T> {
  readonly api: T
  readonly health: T
  readonly internal?: T | undefined
  readonly metrics?: T | undefined
}

/** The listeners of a server, bound. */
export interface Listening {
  /** Where each is reached, by name: `http://127.0.0.1:8080`. */
  readonly addresses: PerListener<string>
  /** Takes no new request; resolves when every request that was taken is answered. */
  close(): Promise<void>
  /** Ends every connection. */
  abort(): void
}

/**
 * Binds every listener that there is an app for, or none. Throws one `CONFIG_INVALID` that names each
 * port that could not be bound, and how to choose another.
 */
export async function bindAll(
  runtime: Runtime,
  apps: PerListener<App>,
  configuration: Configuration,
): Promise<Listening> {
  const { bindAddr: host, maxConnections } = configuration
  const tried = await Promise.all(
    portsOf(configuration).map(async ({ name, port, setting }) => {
      const app = apps[name]
      if (app === undefined) return undefined
      try {
        return { name, listener: await runtime.listen(app, { host, port, maxConnections }) }
      } catch (error) {
        return why(error, host, port, setting)
      }
    }),
  )
  const bound = tried.filter((one) => typeof one === 'object')
  const faults = new Set(tried.filter((one) => typeof one === 'string'))
  const abort = (): void => bound.forEach(({ listener }) => listener.abort())
  if (faults.size > 0) {
    abort()
    throw new KernelError('CONFIG_INVALID', [...faults].join('\n'))
  }
  const addresses = bound.map(({ name, listener }) => [name, urlOf(host, listener)])
  return {
    // Nothing failed, so there is one for each app.
    addresses: Object.fromEntries(addresses) as PerListener<string>,
    async close() {
      await Promise.all(bound.map(({ listener }) => listener.close()))
    },
    abort,
  }
}

interface Port {
  readonly name: keyof PerListener<App>
  readonly port: number
  /** How to choose another. */
  readonly setting: string
}

function portsOf({ port, healthPort, internalPort, metricsPort }: Configuration): readonly Port[] {
  return [
    { name: 'api', port, setting: 'HELM_PORT or --port' },
    { name: 'health', port: healthPort, setting: 'HELM_HEALTH_PORT' },
    { name: 'internal', port: internalPort ?? 0, setting: 'HELM_INTERNAL_PORT' },
    { name: 'metrics', port: metricsPort, setting: 'HELM_METRICS_PORT' },
  ]
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
