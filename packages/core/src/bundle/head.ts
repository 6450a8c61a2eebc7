import { decodeJson } from '../bytes/decode.ts'
import { type Digest, isDigest } from '../bytes/digest.ts'
import { KernelError } from '../error.ts'
import * as v from '../schema.ts'
import { identifier, type Scope, scopeOf } from '../trust/scope.ts'
import { bareSignature, signatureList, type Signatures } from './signature.ts'

/** The cheap pointer to the bundle that a source says is active (design 2.4). A claim, not authority. */
export interface Head {
  readonly scope: Scope
  /** Absent when the source parses nothing before verification, as a mounted file. */
  readonly policyEpoch: number | undefined
  readonly policyHash: Digest
  readonly bundleRef: string
  readonly signatures: Signatures
}

const id = v.pipe(v.string(), v.regex(identifier))

const wire = v.object({
  scope: v.object({ tenant_id: id, workspace_id: id }),
  policy_epoch: v.pipe(v.number(), v.integer(), v.minValue(1)),
  policy_hash: v.custom<Digest>(isDigest, 'must be sha256: and 64 lowercase hex'),
  bundle_ref: v.optional(v.pipe(v.string(), v.maxLength(2048))),
  signature: v.optional(v.string()),
  signatures: v.optional(v.unknown()),
})

/** Reads a head as a control plane sends it; unknown members are ignored. Throws `HEAD_MALFORMED`. */
export function parseHead(bytes: Uint8Array): Head {
  const code = 'HEAD_MALFORMED'
  const json = decodeJson(bytes, { maxBytes: 65_536, code, what: 'head' })
  const head = v.parse(wire, json, code, 'head')
  if (head.signature !== undefined && head.signatures !== undefined) {
    throw new KernelError(code, 'a head has signature or signatures, not both')
  }
  return {
    scope: scopeOf(head.scope.tenant_id, head.scope.workspace_id),
    policyEpoch: head.policy_epoch,
    policyHash: head.policy_hash,
    bundleRef: head.bundle_ref ?? '',
    signatures:
      head.signature !== undefined
        ? [bareSignature(head.signature)]
        : head.signatures === undefined
          ? []
          : signatureList(head.signatures),
  }
}
