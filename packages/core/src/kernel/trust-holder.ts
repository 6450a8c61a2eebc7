import { KernelError } from '../error.ts'
import type { ReceiptStore, TrustMark } from '../ports/receipt-store.ts'
import type { TrustRoot } from '../trust/root.ts'
import { systemScope } from '../trust/scope.ts'
import type { Recorder } from './recorder.ts'

/** The trust root in force. It is replaced only by a newer one (design 2.5). */
export interface TrustHolder {
  current(): TrustRoot
  /**
   * Opens the ledger, and writes down which root is in force. Throws `TRUST_ROOT_ROLLBACK` when the
   * ledger remembers a newer one.
   */
  begin(): Promise<void>
  /** Throws `TRUST_ROOT_ROLLBACK`; the root before then stays. */
  replace(root: TrustRoot): void
}

export function createTrustHolder(
  initial: TrustRoot,
  store: ReceiptStore,
  recorder: Recorder,
): TrustHolder {
  let current = initial
  let recorded: TrustRoot | undefined
  let recording: Promise<void> = Promise.resolve()

  return {
    current: () => current,
    async begin() {
      await recorder.begin()
      if (recorded === current) return
      // One at a time, so that nobody writes the same root twice.
      const own = recording.then(record)
      recording = own.catch(() => undefined)
      await own
    },
    replace(root) {
      if (current.digest !== undefined) {
        refuseRollback(root, { version: current.version, digest: current.digest })
      }
      current = root
    },
  }

  async function record(): Promise<void> {
    const root = current
    const { digest, version, keys } = root
    // The short form has neither version nor file: it is not written down.
    if (digest !== undefined) {
      const mark = (await store.state()).trust
      if (mark !== undefined) refuseRollback(root, mark)
      if (mark?.digest !== digest) {
        const key_ids = keys.map(({ keyId }) => keyId).sort()
        await recorder.record({
          scope: systemScope,
          body: { kind: 'trust', digest, version, key_ids },
        })
      }
    }
    recorded = root
  }
}

function refuseRollback({ version, digest }: TrustRoot, before: TrustMark): void {
  if (version > before.version || digest === before.digest) return
  throw new KernelError(
    'TRUST_ROOT_ROLLBACK',
    version < before.version
      ? `the trust root has version ${version}, after version ${before.version} was in force: give it a higher one`
      : `the trust root of version ${version} has changed: give the new one a higher version`,
  )
}
