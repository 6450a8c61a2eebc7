import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { bundleBytes } from './policy.ts'

export const adminKey = 'helm_bench'

/** A program that listens: its process and where. */
export interface Started {
  readonly child: ChildProcess
  readonly port: number
  readonly healthPort: number
  stop(): Promise<void>
}

/** The server as an operator runs it, of the build, over a data directory whose key it has. */
export async function startServer(dataDir: string): Promise<Started> {
  const policy = join(dataDir, 'bench-policy')
  mkdirSync(policy, { recursive: true })
  writeFileSync(join(policy, 'policy.bundle'), bundleBytes(100))
  return start(['adapters/node/bin/helm-ai-kernel.js', 'serve'], {
    HELM_PORT: '0',
    HELM_HEALTH_PORT: '0',
    HELM_DATA_DIR: dataDir,
    HELM_POLICY_PATH: policy,
    HELM_ADMIN_API_KEY: adminKey,
    HELM_LOG_FORMAT: 'json',
    HELM_RUNTIME_PRINCIPAL_ID: 'agent:bench',
  })
}

/** Starts a Node program that prints a line of JSON with the members `api` and `health`. */
export async function start(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Started> {
  const child = spawn(process.execPath, command, {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  for await (const line of createInterface({ input: child.stdout })) {
    const { api, health = api } = JSON.parse(line) as { api?: string; health?: string }
    if (api === undefined) continue
    child.stdout.resume()
    return {
      child,
      port: Number(new URL(api).port),
      healthPort: Number(new URL(health ?? api).port),
      async stop() {
        // The second signal skips the drain: nobody else is being served.
        child.kill('SIGTERM')
        child.kill('SIGKILL')
        await ended
      },
    }
  }
  throw new Error(`${command.join(' ')} ended before it listened`)
}
