import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hostClock, parseConfiguration } from '@helm-ai-kernel/host'
import { type Cluster, clusterOf, crdSource } from '@helm-ai-kernel/kubernetes'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { refusal } from '../support/refusal.ts'

let mount: string

beforeEach(async () => {
  mount = await fs.mkdtemp(join(tmpdir(), 'helm-service-account-'))
  await fs.writeFile(join(mount, 'token'), 'first\n')
  await fs.writeFile(join(mount, 'ca.crt'), 'a certificate')
  await fs.writeFile(join(mount, 'namespace'), 'policies')
})

afterEach(async () => {
  await fs.rm(mount, { recursive: true, force: true })
})

const pod = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '6443' }

function cluster(
  settings: Readonly<Record<string, string>> = {},
  environment: Readonly<Record<string, string>> = pod,
): Cluster {
  const given = { HELM_POLICY_SOURCE_KIND: 'crd', ...settings }
  const { configuration, warnings } = parseConfiguration({ environment: given, sources: ['crd'] })
  expect(warnings).toEqual([])
  return clusterOf(configuration, environment, mount)
}

describe('the cluster of the crd source', () => {
  it('is that of the pod: its API server, its namespace', () => {
    const { url, namespace } = cluster()
    expect([url.href, namespace]).toEqual(['https://10.0.0.1:6443/', 'policies'])
    expect(cluster({}, { KUBERNETES_SERVICE_HOST: 'fd00::1' }).url.href).toBe('https://[fd00::1]/')
  })

  it('is the one that the configuration names', () => {
    const { url, namespace } = cluster({
      HELM_POLICY_CRD_API_URL: 'https://kubernetes.example/clusters/one/',
      HELM_POLICY_CRD_NAMESPACE: 'other',
    })
    expect([url.href, namespace]).toEqual(['https://kubernetes.example/clusters/one/', 'other'])
  })

  it('is a start error where there is none', async () => {
    expect(refusal(() => cluster({}, {}))).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('set HELM_POLICY_CRD_API_URL') as string,
    })
    await fs.rm(join(mount, 'namespace'))
    expect(refusal(() => cluster())).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('set HELM_POLICY_CRD_NAMESPACE') as string,
    })
  })

  it.each([
    ['HELM_POLICY_CRD_API_URL', 'http://kubernetes.example'],
    ['HELM_POLICY_CRD_API_URL', 'https://me:secret@kubernetes.example'],
    ['HELM_POLICY_CRD_API_URL', 'kubernetes.example'],
    ['HELM_POLICY_CRD_NAMESPACE', 'Policies'],
    ['HELM_POLICY_CRD_NAMESPACE', '../secrets'],
  ])('is not taken from %s=%s', (name, value) => {
    expect(refusal(() => cluster({ [name]: value }))).toMatchObject({ code: 'CONFIG_INVALID' })
  })

  it('is told the token as it is now, and over plain http none', async () => {
    const secure = cluster()
    const plain = cluster({ HELM_POLICY_CRD_API_URL: 'http://127.0.0.1:8001' })
    expect(await secure.credentials()).toEqual({ token: 'first', ca: 'a certificate' })
    await fs.writeFile(join(mount, 'token'), 'second')
    expect(await secure.credentials()).toMatchObject({ token: 'second' })
    expect(await plain.credentials()).toEqual({})
  })

  it('that has no token to give is unreachable, and the token is not in what is said', async () => {
    const ended = new AbortController()
    const log = { debug: none, info: none, warn: none, error: none }
    const more = { fresh: 0, clock: hostClock, log, wake: none, ended: ended.signal }
    const at = { HELM_POLICY_CRD_API_URL: 'https://127.0.0.1:1' }
    const source = crdSource({ cluster: cluster(at), ...more })
    const refused = await source.scopes(ended.signal).catch((error: unknown) => String(error))
    expect(refused).toContain('127.0.0.1')
    expect(refused).not.toContain('first')
    await fs.rm(join(mount, 'token'))
    await expect(source.scopes(ended.signal)).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringContaining('mount the token of a service account there') as string,
    })
  })
})

function none(): void {
  // Nothing is told here.
}
