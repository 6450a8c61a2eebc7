import { encodeSignatures, parseSignatures, type Signatures } from '../bundle/signature.ts'
import { maxBundleBytes, type UnverifiedBundle } from '../bundle/verify.ts'
import { canonicalBytes } from '../bytes/canonical.ts'
import { decodeJson } from '../bytes/decode.ts'
import { type Digest, isDigest } from '../bytes/digest.ts'
import { isTimestamp, type Timestamp, timestamp } from '../bytes/time.ts'
import { KernelError, messageOf } from '../error.ts'
import type { Keep } from '../ports/keep.ts'
import * as v from '../schema.ts'
import { identifier, type Scope, scopeOf } from '../trust/scope.ts'

/** What was installed for a scope, kept so that a restart needs no source. Times are wall ms. */
export interface KeptPolicy {
  readonly bundle: UnverifiedBundle
  /** Of the last successful verification, or a little before. */
  readonly verifiedAt: number
  readonly activatedAt: number
  readonly source: string
  readonly bundleRef: string
}

/** The part of it that changes while the bytes stay. */
export interface KeptState extends Omit<KeptPolicy, 'bundle'> {
  readonly policyHash: Digest
}

/** Policy on the disk: the bytes for ever, by their hash; and for each scope which ones, and since when. */
export interface Kept {
  scopes(): Promise<readonly Scope[]>
  /** Undefined when nothing is kept, or nothing that can be read. */
  read(scope: Scope): Promise<KeptPolicy | undefined>
  putBundle(policyHash: Digest, bytes: Uint8Array, signatures: Signatures): Promise<void>
  putState(scope: Scope, state: KeptState): Promise<void>
  /** The scope's policy is not to come back by itself. */
  drop(scope: Scope): Promise<void>
}

const folder = 'policy/'
const type = 'helm.kept-policy/v1'
const time = v.custom<Timestamp>(isTimestamp, 'must be a time')
const form = v.strictObject({
  type: v.literal(type),
  policy_hash: v.custom<Digest>(isDigest, 'must be a digest'),
  verified_at: time,
  activated_at: time,
  source: v.string(),
  bundle_ref: v.string(),
})

export function createKept(keep: Keep): Kept {
  return {
    async scopes() {
      const names = await keep.list(folder)
      return names.flatMap((name) => {
        const [tenantId, workspaceId] = name.slice(folder.length, -'.json'.length).split('~')
        const isScope = [tenantId, workspaceId].every(
          (id) => id !== undefined && identifier.test(id),
        )
        return isScope ? [scopeOf(tenantId ?? '', workspaceId ?? '')] : []
      })
    },

    async read(scope) {
      const bytes = await keep.get(stateName(scope))
      if (bytes === undefined) return undefined
      const code = 'BUNDLE_MALFORMED'
      const limits = { maxBytes: 16_384, code, what: 'kept policy' } as const
      const state = v.parse(form, decodeJson(bytes, limits), code, 'kept policy')
      const { policy_hash: policyHash } = state
      const name = bundleName(policyHash)
      const [bundle, signatures] = await Promise.all([keep.get(name), keep.get(`${name}.sig`)])
      if (bundle === undefined || bundle.length > maxBundleBytes) return undefined
      return {
        bundle: {
          bytes: bundle,
          signatures: signatures === undefined ? [] : parseSignatures(signatures),
          policyHash,
        },
        verifiedAt: Date.parse(state.verified_at),
        activatedAt: Date.parse(state.activated_at),
        source: state.source,
        bundleRef: state.bundle_ref,
      }
    },

    async putBundle(policyHash, bytes, signatures) {
      const name = bundleName(policyHash)
      await Promise.all([
        signatures.length > 0 && put(`${name}.sig`, encodeSignatures(signatures)),
        (await keep.get(name)) === undefined && put(name, bytes),
      ])
    },

    putState: (scope, { policyHash, verifiedAt, activatedAt, source, bundleRef }) =>
      put(
        stateName(scope),
        canonicalBytes({
          type,
          policy_hash: policyHash,
          verified_at: timestamp(verifiedAt),
          activated_at: timestamp(activatedAt),
          source,
          bundle_ref: bundleRef,
        }),
      ),

    drop: (scope) => keep.remove(stateName(scope)),
  }

  async function put(name: string, bytes: Uint8Array): Promise<void> {
    try {
      await keep.put(name, bytes)
    } catch (cause) {
      const message = `policy could not be kept: ${messageOf(cause)}`
      throw new KernelError('LEDGER_UNAVAILABLE', message, { cause })
    }
  }
}

/** Policies that receipts name are kept for ever, by their hash (design 4.1). */
function bundleName(policyHash: Digest): string {
  return `policies/${policyHash.slice('sha256:'.length)}.bundle`
}

/** `~` stands in no identifier, so two scopes never share a name. */
function stateName({ tenantId, workspaceId }: Scope): string {
  return `${folder}${tenantId}~${workspaceId}.json`
}
