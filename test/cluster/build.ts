import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import fs from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { messageOf } from '@helm-ai-kernel/core'

/** A real API server and its store. */
export interface Binaries {
  readonly apiServer: string
  readonly etcd: string
}

const module = join(import.meta.dirname, 'kube-apiserver')
const packages = ['k8s.io/kubernetes/cmd/kube-apiserver', 'go.etcd.io/etcd/server/v3'] as const
/** Compiling without optimisation takes two thirds of the time. */
const flags = ['-trimpath', '-gcflags=all=-N -l -dwarf=false'] as const

/**
 * Builds both once, into a folder beside other caches: some minutes. A sentence says why there are none;
 * HELM_TEST_CLUSTER=skip asks for that, with HELM_TEST_CLUSTER=1 it is an error instead.
 */
export async function binaries(): Promise<Binaries | string> {
  const wish = process.env['HELM_TEST_CLUSTER']
  if (wish === 'skip') return 'HELM_TEST_CLUSTER=skip'
  try {
    return await build()
  } catch (error) {
    if (wish === '1') throw error
    return `kube-apiserver cannot be built: ${messageOf(error)}`
  }
}

async function build(): Promise<Binaries> {
  const manifests = ['go.mod', 'go.sum'].map((name) => readFileSync(join(module, name), 'utf8'))
  const version = /k8s\.io\/kubernetes (v[\d.]+)/.exec(manifests[0] ?? '')?.[1] ?? ''
  const hash = createHash('sha256').update([...manifests, ...flags].join('\n'))
  const home = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  const name = `${version}-${hash.digest('hex').slice(0, 12)}`
  const folder = join(home, 'helm-ai-kernel-cluster', name)
  if (!existsSync(folder)) await buildInto(folder, version)
  return { apiServer: join(folder, 'kube-apiserver'), etcd: join(folder, 'server') }
}

async function buildInto(folder: string, version: string): Promise<void> {
  const compiler = go()
  console.log(`building kube-apiserver ${version} and etcd into ${folder}: some minutes, once`)
  await fs.mkdir(dirname(folder), { recursive: true })
  const beside = await fs.mkdtemp(`${folder}-`)
  const named = `-X k8s.io/component-base/version.gitVersion=${version}`
  try {
    await promisify(execFile)(
      compiler,
      ['build', ...flags, '-ldflags', `-s -w ${named}`, '-o', `${beside}/`, ...packages],
      { cwd: module, env: { ...process.env, CGO_ENABLED: '0', GOWORK: 'off', GOGC: '400' } },
    )
    await fs.rename(beside, folder)
  } catch (error) {
    // Another run may have been faster.
    if (!existsSync(folder)) throw error
  } finally {
    await fs.rm(beside, { recursive: true, force: true })
  }
}

function go(): string {
  const found = ['go', '/usr/local/go/bin/go'].find((candidate) => {
    try {
      execFileSync(candidate, ['version'], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  })
  if (found === undefined) throw new Error('there is no Go on this machine')
  return found
}
