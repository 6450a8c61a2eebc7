import type { Crypto, PolicySource, ReceiptStore, Scope, TrustRoot } from '@helm-ai-kernel/core'
import type { Configuration } from '../configuration/index.ts'
import { takesUnsigned } from '../trust.ts'
import { mountedFile } from './mounted-file.ts'

/** What a policy source is made of. */
export interface SourceContext {
  readonly configuration: Configuration
  readonly scope: Scope
  readonly trust: TrustRoot
  readonly crypto: Crypto
  readonly receipts: Pick<ReceiptStore, 'state'>
}

/** Undefined when the configuration names no place to read from. */
export type SourceFactory = (context: SourceContext) => PolicySource | undefined

/** By the value of `HELM_POLICY_SOURCE_KIND`. A kind that is not here is a start error. */
export type Sources = Readonly<Record<string, SourceFactory>>

/** What every build has. */
export const hostSources: Sources = Object.freeze({
  mountedFile({ configuration, scope, trust, crypto, receipts }) {
    const { policyPath: path } = configuration
    if (path === undefined) return undefined
    const unsigned = takesUnsigned(configuration, trust)
    const mark = async () => (await receipts.state()).scope(scope).unsigned
    return mountedFile({ path, scope, crypto, unsigned, mark })
  },
} satisfies Sources)
