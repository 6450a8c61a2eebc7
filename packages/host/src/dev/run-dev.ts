import fs from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { encodeHex, parseSeed } from '@helm-ai-kernel/core'
import { hostClock } from '../clock.ts'
import { parseConfiguration, settings } from '../configuration/index.ts'
import { createLog } from '../log.ts'
import { nodeCrypto } from '../node-crypto.ts'
import { hostRandom } from '../random.ts'
import { type CommandIo, drainGrace } from '../run-serve.ts'
import type { Runtime } from '../runtime.ts'
import { serve } from '../server.ts'
import { untilSignal } from '../until-signal.ts'
import { banner } from './banner.ts'
import { devKeys } from './keys.ts'
import { samplePolicy } from './sample.ts'
import { devSource } from './source.ts'

/** All of the environment that `dev` looks at: nothing there can open it to others or change its keys. */
const honoured: readonly string[] = [
  'HELM_PORT',
  'HELM_HEALTH_PORT',
  'HELM_DATA_DIR',
  'HELM_LOG_LEVEL',
  'HELM_LOG_FORMAT',
]

/**
 * `dev`: everything with embedded defaults, on loopback, until a signal ends it. Keys, policy and
 * ledger are in the data directory. Resolves to the exit code; throws a KernelError that says what to
 * correct.
 */
export async function runDev(
  flags: Readonly<Record<string, string>>,
  io: CommandIo,
  runtime: Runtime,
): Promise<number> {
  const home = resolve(io.cwd, flags['--data-dir'] ?? (io.env['HELM_DATA_DIR'] || '.helm'))
  const policyFile = join(home, 'policy.yaml')
  const policyFolder = join(home, 'dev-policy')
  const keys = await devKeys(join(home, 'keys'), nodeCrypto, hostRandom)
  await writeOnce(policyFile, samplePolicy)
  const policySigner = nodeCrypto.signer(parseSeed(keys.policySeed, 'the policy key'))

  const tell = (message: string): void => io.stderr(`${message}\n`)
  const unheard = ignoredNames(io.env)
  if (unheard.length > 0) tell(`dev does not look at ${unheard.join(', ')}; serve does`)
  const { configuration } = parseConfiguration({
    environment: {
      HELM_PORT: io.env['HELM_PORT'],
      HELM_HEALTH_PORT: io.env['HELM_HEALTH_PORT'],
      HELM_LOG_LEVEL: io.env['HELM_LOG_LEVEL'] || 'warn',
      HELM_LOG_FORMAT: io.env['HELM_LOG_FORMAT'] || 'text',
      HELM_DATA_DIR: home,
      HELM_SIGNING_KEY_FILE: keys.receiptKeyFile,
      HELM_ADMIN_API_KEY: keys.adminKey,
      HELM_SERVICE_API_KEY: keys.serviceKey,
      HELM_API_KEYS_FILE: keys.apiKeysFile,
      HELM_POLICY_TRUST_PUBLIC_KEY: encodeHex(policySigner.publicKey),
      HELM_POLICY_PATH: policyFolder,
      HELM_POLICY_POLL_INTERVAL: '500ms',
    },
    flags: { ...(flags['--port'] !== undefined && { '--port': flags['--port'] }) },
    sources: ['mountedFile'],
  })
  const { logLevel: level, logFormat: format } = configuration
  const log = createLog({ level, format, clock: hostClock, write: (line) => io.stderr(line) })
  const devRuntime: Runtime = {
    ...runtime,
    sources: {
      mountedFile: (context) =>
        devSource({ policyFile, folder: policyFolder, policySigner, tell }, context),
    },
  }
  const start = async () => {
    const running = await serve(configuration, devRuntime, log)
    await running.begun
    io.stdout(banner(running, keys, policyFile, io.cwd))
    return running
  }
  return untilSignal(runtime, start, (signal) => (signal === 'SIGINT' ? 0 : drainGrace))
}

function ignoredNames(env: CommandIo['env']): readonly string[] {
  return Object.values(settings)
    .filter(({ name, group }) => group !== 'Command line' && !honoured.includes(name))
    .map(({ name }) => name)
    .filter((name) => env[name])
}

async function writeOnce(path: string, text: string): Promise<void> {
  try {
    await fs.writeFile(path, text, { flag: 'wx' })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}
