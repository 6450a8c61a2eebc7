import type {
  Cancel,
  Clock,
  Crypto,
  PolicySource,
  ReceiptStore,
  Scope,
  TrustRoot,
} from '@helm-ai-kernel/core'
import type { Configuration } from '../configuration/index.ts'
import type { Log } from '../log.ts'
import { takesUnsigned } from '../trust.ts'
import { readCertificates } from './certificates.ts'
import { controlPlane } from './control-plane.ts'
import { credentialOf } from './credential.ts'
import { mountedFile } from './mounted-file.ts'
import { watchPolicy } from './watch.ts'

/** What a policy source is made of. */
export interface SourceContext {
  readonly configuration: Configuration
  /** The runtime scope. */
  readonly scope: Scope
  /** As it is now: the file of a trust root may be replaced. */
  readonly trust: () => TrustRoot
  readonly crypto: Crypto
  readonly clock: Clock
  readonly receipts: Pick<ReceiptStore, 'state'>
  readonly log: Log
  /** A hint that policy may have changed, for one scope or for all: the reconciler then asks. */
  readonly wake: (scope?: Scope) => void
  /** Aborts when the server ends, and with it whatever the source watches. */
  readonly ended: Cancel
}

/** Undefined when the configuration names no place to read from. */
export type SourceFactory = (context: SourceContext) => PolicySource | undefined

/** By the value of `HELM_POLICY_SOURCE_KIND`. A kind that is not here is a start error. */
export type Sources = Readonly<Record<string, SourceFactory>>

/** What every build has. */
export const hostSources: Sources = Object.freeze({
  mountedFile({ configuration, scope, trust, crypto, clock, receipts, log, wake, ended }) {
    const { policyPath: path, policyFsnotify } = configuration
    if (path === undefined) return undefined
    if (policyFsnotify) void watchPolicy({ path, clock, log, wake: () => wake(scope) }, ended)
    const unsigned = () => takesUnsigned(configuration, trust())
    const mark = async () => (await receipts.state()).scope(scope).unsigned
    return mountedFile({ path, scope, crypto, clock, unsigned, mark })
  },
  controlplane({ configuration, scope }) {
    const { policyControlplaneUrl: url, policyControlplaneCaFile: file } = configuration
    if (url === undefined) return undefined
    return controlPlane({
      url,
      scopes: configuration.policyScopes ?? [scope],
      credential: credentialOf(configuration),
      ca:
        file === undefined ? undefined : readCertificates(file, 'HELM_POLICY_CONTROLPLANE_CA_FILE'),
    })
  },
} satisfies Sources)
