import { celConditions } from '@helm-ai-kernel/cel'
import { noTrust, type Scope, scopeOf } from '@helm-ai-kernel/core'
import {
  decode,
  encodeBundle,
  inspect,
  verify,
  type VerifiedBundle,
} from '@helm-ai-kernel/core/bundle'
import { compile, type EffectivePolicySnapshot } from '@helm-ai-kernel/core/policy'
import { isAuthored, nodeCrypto, parseAuthored } from '@helm-ai-kernel/host'
import { type Given, valueOf } from './command.ts'
import { readFile } from './files.ts'
import type { Io } from './io.ts'
import { usage } from './parse.ts'

export const defaultScope: Scope = scopeOf('default', 'default')

/** Bundle bytes from a file: read as they are, or built when it is policy as people write it. */
export async function readPolicy(io: Io, path: string): Promise<Uint8Array> {
  const bytes = await readFile(io, path)
  if (!isAuthored(path)) return bytes
  return encodeBundle(parseAuthored(bytes, path), { scope: defaultScope, policyEpoch: 1 })
}

/**
 * Compiles bytes that nobody verified, for building, tests and explanations alone. Whose they are and
 * when they hold is not asked. Throws `NOT_CANONICAL`, `BUNDLE_MALFORMED` or `COMPILE_FAILED`.
 */
export function compileUnverified(bytes: Uint8Array): {
  readonly bundle: VerifiedBundle
  readonly snapshot: EffectivePolicySnapshot
} {
  const { scope, audience, issuedAt } = inspect(bytes)
  const unverified = { bytes, signatures: [], policyHash: undefined }
  const verification = { trust: noTrust, scope, signatureRequired: false }
  const bundle = decode(verify(unverified, verification, nodeCrypto), {
    now: issuedAt ?? 0,
    audience: audience?.[0],
  })
  return { bundle, snapshot: compile(bundle, celConditions()) }
}

/** The scope that `--scope tenant/workspace` names; undefined without. */
export function scopeFlag(name: string, given: Given): Scope | undefined {
  const text = valueOf(given, 'scope')
  if (text === undefined) return undefined
  const [tenant = '', workspace = '', ...more] = text.split('/')
  if (workspace === '' || more.length > 0) {
    throw usage(name, '--scope is a tenant and a workspace, such as acme/prod')
  }
  return scopeOf(tenant, workspace)
}
