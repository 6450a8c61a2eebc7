import { execFile } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import fs from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { admin, type Call } from './admin.ts'
import type { Binaries } from './build.ts'
import { type Daemon, start } from './daemon.ts'

/** An API server with RBAC over an etcd of its own; no node, no controller. */
export interface Cluster {
  readonly port: number
  /** PEM of the CA that the API server is checked by. */
  ca(): Promise<string>
  readonly call: Call
  /** As operators do: by kubectl, or, where there is none, by server-side apply at `path`. */
  apply(file: string, path: string): Promise<void>
  /** Lets etcd forget everything before now. */
  compact(): Promise<void>
  stopApiServer(): Promise<void>
  startApiServer(): Promise<void>
  stop(): Promise<void>
}

const token = 'administrator'

/** Resolves when the API server is ready. Whatever fails, nothing is left running. */
export async function startCluster(binaries: Binaries): Promise<Cluster> {
  const folder = await fs.mkdtemp(join(tmpdir(), 'helm-cluster-'))
  const [client, peer, port] = await freePorts()
  const etcdUrl = `http://127.0.0.1:${client}`
  const peerUrl = `http://127.0.0.1:${peer}`
  const caFile = join(folder, 'certs', 'apiserver.crt')
  const keyFile = join(folder, 'service-account.key')
  const tokenFile = join(folder, 'tokens.csv')
  const kubeconfig = join(folder, 'kubeconfig')
  const ca = (): Promise<string> => fs.readFile(caFile, 'utf8')
  const call = admin(port, ca, token)
  const daemons = new Map<'etcd' | 'api', Daemon>()

  await fs.writeFile(keyFile, rsaKey())
  await fs.writeFile(tokenFile, `${token},admin,admin,system:masters\n`)
  await fs.writeFile(kubeconfig, JSON.stringify(kubeconfigOf(port, caFile)))

  const cluster: Cluster = {
    port,
    ca,
    call,
    async apply(file, path) {
      try {
        await promisify(execFile)('kubectl', ['--kubeconfig', kubeconfig, 'apply', '-f', file])
      } catch (error) {
        if ((error as { code?: unknown }).code !== 'ENOENT') throw error
        const type = { 'content-type': 'application/apply-patch+yaml' }
        const yaml = await fs.readFile(file, 'utf8')
        const { status, json } = await call('PATCH', `${path}?fieldManager=test`, yaml, type)
        if (status > 201) throw new Error(JSON.stringify(json), { cause: error })
      }
    },
    async compact() {
      const range = (await etcdCall('range', { key: 'AA==' })) as Header
      await etcdCall('compaction', { revision: range.header.revision, physical: true })
    },
    async stopApiServer() {
      await daemons.get('api')?.stop()
    },
    async startApiServer() {
      const isReady = async (): Promise<boolean> => (await call('GET', '/readyz')).status === 200
      const log = join(folder, 'api.log')
      daemons.set('api', await start(binaries.apiServer, apiArguments(), log, isReady))
    },
    async stop() {
      await daemons.get('api')?.stop()
      await daemons.get('etcd')?.stop()
      await fs.rm(folder, { recursive: true, force: true })
    },
  }
  try {
    const isReady = async (): Promise<boolean> => (await fetch(`${etcdUrl}/readyz`)).ok
    const log = join(folder, 'etcd.log')
    daemons.set('etcd', await start(binaries.etcd, etcdArguments(), log, isReady))
    await cluster.startApiServer()
    return cluster
  } catch (error) {
    await cluster.stop()
    throw error
  }

  async function etcdCall(method: string, body: unknown): Promise<unknown> {
    const post = { method: 'POST', body: JSON.stringify(body) }
    return (await fetch(`${etcdUrl}/v3/kv/${method}`, post)).json()
  }

  function etcdArguments(): readonly string[] {
    return [
      `--data-dir=${join(folder, 'etcd')}`,
      `--listen-client-urls=${etcdUrl}`,
      `--advertise-client-urls=${etcdUrl}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=default=${peerUrl}`,
      '--unsafe-no-fsync',
    ]
  }

  function apiArguments(): readonly string[] {
    return [
      `--etcd-servers=${etcdUrl}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
      `--cert-dir=${join(folder, 'certs')}`,
      '--authorization-mode=RBAC',
      `--token-auth-file=${tokenFile}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${keyFile}`,
      `--service-account-signing-key-file=${keyFile}`,
      '--service-cluster-ip-range=10.0.0.0/24',
      // Nothing reaches it through a service, whose endpoint may not be on loopback.
      '--endpoint-reconciler-type=none',
    ]
  }
}

interface Header {
  readonly header: { readonly revision: string }
}

function rsaKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

function kubeconfigOf(port: number, caFile: string): unknown {
  const server = `https://127.0.0.1:${port}`
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority': caFile } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    'current-context': 'test',
  }
}

async function freePorts(): Promise<readonly [number, number, number]> {
  const servers = [createServer(), createServer(), createServer()] as const
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  }
  const portOf = (n: 0 | 1 | 2): number => (servers[n].address() as AddressInfo).port
  const ports = [portOf(0), portOf(1), portOf(2)] as const
  for (const server of servers) await new Promise((resolve) => server.close(resolve))
  return ports
}
