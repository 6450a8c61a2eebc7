import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import fs from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { messageOf } from '@helm-ai-kernel/core'

const sources = ['main.go', 'go.mod', 'go.sum'].map((name) => join(import.meta.dirname, name))
const compilers = ['go', '/usr/local/go/bin/go']
const run = promisify(execFile)

/** The program, or a sentence why there is none. */
export type LogTools = { readonly path: string } | { readonly missing: string }

/**
 * Builds main.go once, into a folder beside other caches: half a minute, and modules from the network.
 * HELM_TEST_LOG_TOOLS=skip asks for none, with HELM_TEST_LOG_TOOLS=1 to have none is an error.
 */
export async function logTools(): Promise<LogTools> {
  const wish = process.env['HELM_TEST_LOG_TOOLS']
  if (wish === 'skip') return { missing: 'HELM_TEST_LOG_TOOLS=skip' }
  try {
    return { path: await build() }
  } catch (error) {
    if (wish === '1') throw error
    const [why] = messageOf(error).split('\n').slice(-2)
    return { missing: `test/log-tools cannot be built: ${why ?? ''}` }
  }
}

async function build(): Promise<string> {
  const hash = createHash('sha256')
  for (const source of sources) hash.update(readFileSync(source))
  const home = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  const path = join(home, 'helm-ai-kernel-log-tools', hash.digest('hex').slice(0, 16))
  if (existsSync(path)) return path
  await fs.mkdir(dirname(path), { recursive: true })
  const beside = `${path}.${process.pid}`
  const env = { ...process.env, CGO_ENABLED: '0', GOWORK: 'off' }
  const options = { cwd: import.meta.dirname, env, timeout: 240_000 }
  try {
    await run(await compiler(), ['build', '-trimpath', '-o', beside, '.'], options)
    await fs.rename(beside, path)
  } finally {
    await fs.rm(beside, { force: true })
  }
  return path
}

async function compiler(): Promise<string> {
  for (const name of compilers) {
    try {
      await run(name, ['version'])
      return name
    } catch {
      // Not here.
    }
  }
  throw new Error('there is no Go on this machine')
}
