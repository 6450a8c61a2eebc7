import {
  isDigest,
  isKernelError,
  type Json,
  KernelError,
  sameScope,
  type Scope,
  scopeOf,
  systemScope,
} from '@helm-ai-kernel/core'
import {
  bareSignature,
  type Head,
  signatureList,
  type Signatures,
} from '@helm-ai-kernel/core/bundle'
import { members, type PolicyObject } from './object.ts'

/** Where the bundle's bytes are, in the namespace of the object. */
export interface BundleRef {
  readonly kind: 'ConfigMap' | 'Secret'
  readonly name: string
  readonly key: string
}

const objectName = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/
const keyName = /^[-._a-zA-Z0-9]{1,253}$/

/** The scope that the object is for. Throws `HEAD_MALFORMED`. */
export function scopeIn({ name, spec }: PolicyObject): Scope {
  const { tenantId, workspaceId } = spec
  const scope = within(name, 'spec', () => scopeOf(text(tenantId), text(workspaceId)))
  if (sameScope(scope, systemScope)) throw malformed(name, 'spec', 'helm/system is reserved')
  return scope
}

/** What the object says is active. Throws `HEAD_MALFORMED`, naming the object and the field. */
export function headIn(object: PolicyObject, namespace: string): Head {
  const { name, spec } = object
  const { policyEpoch, policyHash } = spec
  if (typeof policyEpoch !== 'number' || !Number.isSafeInteger(policyEpoch) || policyEpoch < 1) {
    throw malformed(name, 'spec.policyEpoch', 'must be an integer from 1 to 2^53 - 1')
  }
  if (!isDigest(policyHash)) {
    throw malformed(name, 'spec.policyHash', 'must be sha256: and 64 lowercase hex')
  }
  return {
    scope: scopeIn(object),
    policyEpoch,
    policyHash,
    bundleRef: printRef(refIn(object), namespace),
    signatures: signaturesIn(object),
  }
}

/** Throws `HEAD_MALFORMED`. */
export function refIn({ name: own, spec }: PolicyObject): BundleRef {
  const { kind, name, key } = members(spec['bundleRef'])
  if (kind !== 'ConfigMap' && kind !== 'Secret') {
    throw malformed(own, 'spec.bundleRef.kind', 'must be ConfigMap or Secret')
  }
  if (!objectName.test(text(name))) {
    throw malformed(own, 'spec.bundleRef.name', `must be the name of a ${kind}`)
  }
  if (!keyName.test(text(key))) {
    throw malformed(own, 'spec.bundleRef.key', `must be a key of the ${kind}`)
  }
  return { kind, name: text(name), key: text(key) }
}

/** As operators read it: `ConfigMap/namespace/name:key`. */
export function printRef({ kind, name, key }: BundleRef, namespace: string): string {
  return `${kind}/${namespace}/${name}:${key}`
}

function signaturesIn({ name, spec }: PolicyObject): Signatures {
  const { signature, signatures } = spec
  if (signature !== undefined && signatures !== undefined) {
    throw malformed(name, 'spec', 'set signature or signatures, not both')
  }
  if (signature !== undefined) {
    return within(name, 'spec.signature', () => [bareSignature(text(signature))])
  }
  if (signatures === undefined) return []
  return within(name, 'spec.signatures', () => signatureList(asWire(signatures)))
}

/** The members of the list have the names of the wire elsewhere (design 2.4). */
function asWire(signatures: Json): Json {
  if (!Array.isArray(signatures)) return signatures
  return (signatures as readonly Json[]).map((entry) => {
    const { keyId, ...others } = members(entry)
    return { ...others, ...(keyId !== undefined && { key_id: keyId }) }
  })
}

function text(json: Json | undefined): string {
  return typeof json === 'string' ? json : ''
}

function within<T>(name: string, field: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (isKernelError(error)) throw malformed(name, field, error.message)
    throw error
  }
}

function malformed(name: string, field: string, message: string): KernelError {
  return new KernelError('HEAD_MALFORMED', `HelmPolicyBundle ${name}: ${message}`, { at: field })
}
