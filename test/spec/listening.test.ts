import { describe, expect, it } from 'vitest'
import { isKernelError } from '@helm-ai-kernel/core'
import { type Configuration, parseConfiguration, type Runtime } from '@helm-ai-kernel/host'
import type { App } from '@helm-ai-kernel/http'
import { bindAll } from '../../packages/host/src/listening.ts'

const app: App = { fetch: () => new Response() }
const apps = { api: app, health: app, internal: app, metrics: app }

function configuration(environment: Readonly<Record<string, string>>): Configuration {
  return parseConfiguration({ environment, sources: ['mountedFile'] }).configuration
}

const fourPorts = configuration({
  HELM_PORT: '1001',
  HELM_HEALTH_PORT: '1002',
  HELM_INTERNAL_PORT: '1003',
  HELM_METRICS_ENABLED: 'true',
  HELM_METRICS_PORT: '1004',
})

/** A runtime whose listeners only tell what became of them; a port that is busy is refused. */
function fakeRuntime(busy: Readonly<Record<number, string>> = {}) {
  const events: string[] = []
  const runtime: Runtime = {
    name: 'fake',
    onSignal: () => () => undefined,
    exit: () => undefined,
    async listen(_app, { port }) {
      const code = busy[port]
      if (code !== undefined) throw Object.assign(new Error(code), { code })
      events.push(`bound ${port}`)
      return {
        port,
        close: async () => void events.push(`closed ${port}`),
        abort: () => void events.push(`aborted ${port}`),
      }
    },
  }
  return { runtime, events }
}

async function refusal(work: Promise<unknown>): Promise<readonly string[]> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!isKernelError(error, 'CONFIG_INVALID')) throw new Error('it was taken')
  return error.message.split('\n')
}

describe('the listeners of a server', () => {
  it('are those that there is an app for, each told with its address', async () => {
    const two = await bindAll(fakeRuntime().runtime, { api: app, health: app }, fourPorts)
    expect(two.addresses).toEqual({ api: 'http://127.0.0.1:1001', health: 'http://127.0.0.1:1002' })
    const four = await bindAll(fakeRuntime().runtime, apps, fourPorts)
    expect(four.addresses).toEqual({
      api: 'http://127.0.0.1:1001',
      health: 'http://127.0.0.1:1002',
      internal: 'http://127.0.0.1:1003',
      metrics: 'http://127.0.0.1:1004',
    })
  })

  it('close together, and end together', async () => {
    const { runtime, events } = fakeRuntime()
    const listening = await bindAll(runtime, apps, fourPorts)
    await listening.close()
    listening.abort()
    const ports = [1001, 1002, 1003, 1004]
    expect(events.slice(4)).toEqual([
      ...ports.map((port) => `closed ${port}`),
      ...ports.map((port) => `aborted ${port}`),
    ])
  })

  it('are all bound or none, with one message for all that cannot be', async () => {
    const { runtime, events } = fakeRuntime({ 1001: 'EADDRINUSE', 1004: 'EACCES' })
    expect(await refusal(bindAll(runtime, apps, fourPorts))).toEqual([
      'port 1001 of 127.0.0.1 is in use by another process: choose another with HELM_PORT or --port; 0 takes a free one',
      'port 1004 is not for this user: choose another with HELM_METRICS_PORT; 0 takes a free one',
    ])
    expect(events).toEqual(['bound 1002', 'bound 1003', 'aborted 1002', 'aborted 1003'])
  })

  it('say once that the address is none of this machine', async () => {
    const none = 'EADDRNOTAVAIL'
    const { runtime } = fakeRuntime({ 1001: none, 1002: none, 1003: none, 1004: none })
    expect(await refusal(bindAll(runtime, apps, fourPorts))).toEqual([
      '127.0.0.1 is no address of this machine: choose one with HELM_BIND_ADDR or --addr',
    ])
  })
})

describe('two listeners on one port', () => {
  const sentences = (environment: Readonly<Record<string, string>>): Promise<readonly string[]> =>
    refusal((async () => configuration(environment))())

  it.each([
    ['HELM_PORT', 'HELM_INTERNAL_PORT'],
    ['HELM_PORT', 'HELM_METRICS_PORT'],
    ['HELM_HEALTH_PORT', 'HELM_INTERNAL_PORT'],
    ['HELM_HEALTH_PORT', 'HELM_METRICS_PORT'],
    ['HELM_INTERNAL_PORT', 'HELM_METRICS_PORT'],
  ])('are refused: %s and %s', async (one, other) => {
    const environment = { HELM_METRICS_ENABLED: 'true', [one]: '7000', [other]: '7000' }
    expect(await sentences(environment)).toEqual([
      'a setting is wrong:',
      `${one} and ${other} are the same port: change one`,
    ])
  })

  it('are told in every pair', async () => {
    const environment = {
      HELM_PORT: '7000',
      HELM_HEALTH_PORT: '7000',
      HELM_INTERNAL_PORT: '7000',
    }
    expect(await sentences(environment)).toHaveLength(4)
  })

  it('are none when one of them is not opened, or takes a free port', () => {
    expect(configuration({ HELM_PORT: '9090' }).port).toBe(9090)
    expect(
      configuration({ HELM_PORT: '0', HELM_HEALTH_PORT: '0', HELM_INTERNAL_PORT: '0' }),
    ).toMatchObject({ port: 0, internalPort: 0 })
  })
})

describe('the settings of the internal and the metrics port', () => {
  it('have an effect: nothing warns that they have none', () => {
    const { warnings } = parseConfiguration({
      environment: {
        HELM_INTERNAL_PORT: '8082',
        HELM_METRICS_ENABLED: 'true',
        HELM_METRICS_PORT: '9091',
        HELM_POLICY_WAKE_PATH: '/internal/wake',
      },
      sources: ['mountedFile'],
    })
    expect(warnings).toEqual([])
  })
})
