import { canonical } from '../bytes/canonical.ts'
import type { Digest } from '../bytes/digest.ts'
import { equalBytes } from '../bytes/equal.ts'
import { isObject, type Json, type JsonObject } from '../bytes/json.ts'
import { decodeCanonicalSliced } from '../bytes/scan.ts'
import { encodeUtf8 } from '../bytes/utf8.ts'
import { parseOrigin } from '../log/checkpoint.ts'
import type { LedgerIdentity } from '../ports/receipt-store.ts'
import { type Scope, scopeOf } from '../trust/scope.ts'
import { malformed, manifestName, maxReceipts, shown } from './member.ts'
import { inTurns, type Pause } from './pause.ts'

/** What a pack says it is: receipts of one scope in one tree of one ledger. */
export interface PackFacts {
  readonly identity: LedgerIdentity
  readonly scope: Scope
  /** Seq of the first receipt, and of the last. */
  readonly from: number
  readonly to: number
  readonly treeSize: number
  /** Whether the salts of arguments are disclosed. */
  readonly salts: boolean
}

const type = 'helm.evidence/v1'

/** `manifest.json`: canonical, a function of the facts and of all other members, sorted by name. */
export async function encodeManifest(
  { identity, scope, from, to, treeSize, salts }: PackFacts,
  digests: ReadonlyMap<string, Digest>,
  pause: Pause,
): Promise<Uint8Array> {
  const contents: string[] = []
  for (const [name, digest] of digests) {
    // Canonical by construction: the members stand in order and no character needs an escape.
    contents.push(`{"digest":"${digest}","name":"${name}"}`)
    await pause()
  }
  const rest = canonical({
    type,
    ledger_id: identity.ledgerId,
    origin: identity.origin,
    scope: { tenant_id: scope.tenantId, workspace_id: scope.workspaceId },
    from,
    to,
    tree_size: treeSize,
    salts,
    proves: [
      `every receipt of the scope from seq ${from} to ${to} is here`,
      `all of them are in the tree of ${treeSize} entries of log/checkpoint`,
    ],
    does_not_prove: [
      `that ${to} is the last receipt of the scope`,
      ...(salts ? ['that salts.json is right: it shows only together with the arguments'] : []),
    ],
  })
  // `contents` is the first of all members.
  return encodeUtf8(`{"contents":[${contents.join(',')}],${rest.slice(1)}`)
}

/**
 * Reads a manifest and holds it against the digests of all other members. Nothing in it is believed:
 * it says what the members must show. Throws `EVIDENCE_INVALID` or `IDENTIFIER_INVALID`.
 */
export async function readManifest(
  bytes: Uint8Array,
  digests: ReadonlyMap<string, Digest>,
  pause: Pause,
): Promise<PackFacts> {
  const limits = {
    maxBytes: bytes.length,
    code: 'EVIDENCE_INVALID',
    notCanonical: 'EVIDENCE_INVALID',
    what: manifestName,
    elementsOf: 'contents',
  } as const
  const manifest = await inTurns(decodeCanonicalSliced(bytes, limits), pause)
  if (!isObject(manifest)) throw malformed(`${manifestName} must be an object`)
  const facts = factsOf(manifest)
  if (equalBytes(bytes, await encodeManifest(facts, digests, pause))) return facts
  throw malformed(difference(manifest['contents'], digests))
}

function factsOf(manifest: JsonObject): PackFacts {
  const scope = objectOf(manifest, 'scope')
  const facts: PackFacts = {
    identity: {
      ledgerId: textOf(manifest, 'ledger_id', /^[0-9a-f]{32}$/),
      origin: parseOrigin(textOf(manifest, 'origin', /^/)),
    },
    scope: scopeOf(textOf(scope, 'tenant_id', /^/), textOf(scope, 'workspace_id', /^/)),
    from: positive(manifest, 'from'),
    to: positive(manifest, 'to'),
    treeSize: positive(manifest, 'tree_size'),
    salts: manifest['salts'] === true,
  }
  const { from, to } = facts
  if (to < from || to - from >= maxReceipts) {
    throw malformed(`from ${from} to ${to} is no range of 1 to ${maxReceipts} receipts`)
  }
  return facts
}

/** What a person is told of a manifest that is not the one of its members. */
function difference(contents: Json | undefined, digests: ReadonlyMap<string, Digest>): string {
  const named = new Map<Json | undefined, Json | undefined>()
  const list: readonly Json[] = Array.isArray(contents) ? contents : []
  for (const one of list) {
    if (isObject(one)) named.set(one['name'], one['digest'])
  }
  for (const [name, digest] of digests) {
    if (!named.has(name)) return `${manifestName} does not name ${name}`
    if (named.get(name) !== digest) return `${name} has not the digest that ${manifestName} names`
  }
  const gone = [...named.keys()].find((name) => typeof name !== 'string' || !digests.has(name))
  return gone === undefined
    ? `${manifestName} says something else than its members show`
    : `${manifestName} names a member that is not there: ${shown(canonical(gone))}`
}

function objectOf(manifest: JsonObject, name: string): JsonObject {
  const value = memberOf(manifest, name)
  if (!isObject(value)) throw malformed(`${name} of ${manifestName} must be an object`)
  return value
}

function textOf(object: JsonObject, name: string, form: RegExp): string {
  const value = memberOf(object, name)
  if (typeof value !== 'string' || !form.test(value)) {
    throw malformed(`${name} of ${manifestName} has not its form`)
  }
  return value
}

function positive(object: JsonObject, name: string): number {
  const value = memberOf(object, name)
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) {
    throw malformed(`${name} of ${manifestName} must be an integer from 1`)
  }
  return value
}

function memberOf(object: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined
}
