import { readFileSync } from 'node:fs'
import fs from 'node:fs/promises'
import { join } from 'node:path'
import { KernelError } from '@helm-ai-kernel/core'
import type { Configuration } from '@helm-ai-kernel/host'

/** An API server, and who we are to it. */
export interface Cluster {
  readonly url: URL
  readonly namespace: string
  /** As they are now: the kubelet renews both. Throws `SOURCE_UNREACHABLE`. */
  credentials(): Promise<Credentials>
}

export interface Credentials {
  /** Absent over plain http, where something on this machine speaks for us. */
  readonly token?: string
  /** PEM. */
  readonly ca?: string
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The cluster of this pod, or the one that the configuration names. `mount` is the folder of the service
 * account. Throws `CONFIG_INVALID`.
 */
export function clusterOf(
  { policyCrdApiUrl, policyCrdNamespace }: Configuration,
  environment: Environment,
  mount: string,
): Cluster {
  const url = policyCrdApiUrl === undefined ? inCluster(environment) : new URL(policyCrdApiUrl)
  const namespace = policyCrdNamespace ?? ownNamespace(mount)
  if (url.protocol === 'http:') return { url, namespace, credentials: async () => ({}) }
  return {
    url,
    namespace,
    async credentials() {
      const [token, ca] = await Promise.all([read(mount, 'token'), read(mount, 'ca.crt')])
      return { token: token.trim(), ca }
    },
  }
}

function inCluster(environment: Environment): URL {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = environment
  if (host === undefined || host === '') {
    throw new KernelError(
      'CONFIG_INVALID',
      'HELM_POLICY_SOURCE_KIND=crd and this is no pod of a cluster: set HELM_POLICY_CRD_API_URL',
    )
  }
  return new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`)
}

function ownNamespace(mount: string): string {
  try {
    return readFileSync(join(mount, 'namespace'), 'utf8').trim()
  } catch (cause) {
    throw new KernelError(
      'CONFIG_INVALID',
      'HELM_POLICY_SOURCE_KIND=crd and no service account is mounted: set HELM_POLICY_CRD_NAMESPACE',
      { cause },
    )
  }
}

async function read(mount: string, name: string): Promise<string> {
  const path = join(mount, name)
  try {
    return await fs.readFile(path, 'utf8')
  } catch (cause) {
    throw new KernelError(
      'SOURCE_UNREACHABLE',
      `${path} cannot be read: mount the token of a service account there`,
      { cause },
    )
  }
}
