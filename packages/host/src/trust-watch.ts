import { basename, dirname, resolve } from 'node:path'
import {
  type Cancel,
  type Clock,
  type Crypto,
  type Digest,
  digest,
  isKernelError,
  KernelError,
  messageOf,
  parseTrustRoot,
  type TrustRoot,
} from '@helm-ai-kernel/core'
import type { Log } from './log.ts'
import { inOneGeneration } from './source/generation.ts'
import { bytesOf } from './source/open-file.ts'

export interface TrustWatchOptions {
  /** `HELM_POLICY_TRUST_ROOT`. */
  readonly path: string
  readonly crypto: Crypto
  readonly clock: Pick<Clock, 'sleep'>
  readonly log: Log
  /** Puts a root in force, or throws a KernelError, such as `TRUST_ROOT_ROLLBACK`, and keeps the old. */
  readonly apply: (root: TrustRoot) => Promise<void>
  /** The digest of the root that is in force at the start; absent: the first look applies. */
  readonly applied?: Digest | undefined
  /** Ms between two looks; 1,000 when absent. */
  readonly interval?: number
}

export interface TrustWatch {
  /** Why the file is not what is in force; undefined while it is. */
  fault(): KernelError | undefined
  /** Looks now. Resolves when what the file said is in force or its fault is known; never rejects. */
  check(): Promise<void>
}

/** As large as a trust root may be, in bytes. */
const maxBytes = 1024 * 1024

/**
 * Follows the file of the trust root by polling, until `cancel` (design 2.5). What cannot be read,
 * parsed or applied leaves the root in force as it is, and is tried again at every look.
 */
export function watchTrustRoot(options: TrustWatchOptions, cancel: Cancel): TrustWatch {
  const { path, crypto, clock, log, apply, interval = 1_000 } = options
  let { applied } = options
  let fault: KernelError | undefined
  /** The root that the newest bytes are, or the refusal of them: many keys take long to check. */
  let parsed: { readonly digest: Digest; readonly root: Promise<TrustRoot> } | undefined
  let last: Promise<void> = Promise.resolve()

  void poll()
  return { fault: () => fault, check }

  async function poll(): Promise<void> {
    for (;;) {
      await clock.sleep(interval, cancel)
      if (cancel.aborted) return
      await check()
    }
  }

  /** One after the other, so that no look overtakes a newer one. */
  function check(): Promise<void> {
    last = last.then(look)
    return last
  }

  async function look(): Promise<void> {
    try {
      const bytes = await readTrustRoot(path, cancel)
      const now = digest(crypto, bytes)
      if (now !== applied) await take(now, bytes)
      else if (fault !== undefined) log.info('the file of the trust root is good again', { path })
      fault = undefined
    } catch (error) {
      if (!cancel.aborted) tell(faultOf(error, path))
    }
  }

  async function take(now: Digest, bytes: Uint8Array): Promise<void> {
    if (parsed?.digest !== now) parsed = { digest: now, root: parse(bytes) }
    const root = await parsed.root
    await apply(root)
    applied = now
    log.info('trust root replaced', {
      path,
      version: root.version,
      threshold: root.threshold,
      policy_keys: root.keys.map(({ keyId }) => keyId),
    })
  }

  async function parse(bytes: Uint8Array): Promise<TrustRoot> {
    return parseTrustRoot(bytes, crypto)
  }

  function tell(now: KernelError): void {
    if (now.code !== fault?.code || now.message !== fault.message) {
      log.error('trust root not replaced', {
        path,
        code: now.code,
        reason: now.message,
      })
    }
    fault = now
  }
}

/**
 * The bytes of the file of a trust root, of one generation of its folder. Throws `CONFIG_INVALID`
 * when there are none or too many.
 */
export async function readTrustRoot(path: string, cancel: Cancel): Promise<Uint8Array> {
  const full = resolve(path)
  let bytes: Uint8Array | undefined
  try {
    bytes = await inOneGeneration(dirname(full), cancel, (generation) =>
      generation.open(basename(full), maxBytes, (file) => bytesOf(file)),
    )
  } catch (cause) {
    const message = `HELM_POLICY_TRUST_ROOT cannot be read: ${messageOf(cause)}`
    throw new KernelError('CONFIG_INVALID', message, { cause })
  }
  if (bytes !== undefined) return bytes
  throw new KernelError(
    'CONFIG_INVALID',
    `HELM_POLICY_TRUST_ROOT cannot be read: there is no file at ${path}, put the trust root there`,
  )
}

function faultOf(cause: unknown, path: string): KernelError {
  const code = isKernelError(cause) ? cause.code : 'TRUST_ROOT_INVALID'
  const message = `${path} is not in force, the trust root before it stays: ${messageOf(cause)}`
  return new KernelError(code, message, { cause })
}
