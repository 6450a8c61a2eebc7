import {
  canonicalBytes,
  type Digest,
  digest,
  encodeUtf8,
  type Json,
  type KernelSigner,
  type LedgerIdentity,
  type Scope,
  type Sealed,
  type Stored,
} from '@helm-ai-kernel/core'
import {
  buildPack,
  type Members,
  type PackFacts,
  type PackInput,
} from '@helm-ai-kernel/core/evidence'
import { leafHash } from '@helm-ai-kernel/core/log'
import { scopeOfStatement } from '@helm-ai-kernel/core/receipt'
import { encodeManifest, readManifest } from '../../packages/core/src/evidence/manifest.ts'
import { idle } from '../../packages/core/src/evidence/pause.ts'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import {
  acme,
  activation,
  began,
  checkpointOf,
  decision,
  identity,
  other,
  sealAll,
  signerOf,
  type Step,
} from './log-entries.ts'
import { tilesOf } from './tree.ts'

export const ledgerKey = signerOf(1)

/** Bytes that stand for a policy: a pack never looks inside. */
export const policyBytes = encodeUtf8('{"a policy":true}')
export const policyHash: Digest = digest(crypto, policyBytes)

/** What is asked of a log when a pack of it is made; the rest is the whole scope in the whole tree. */
export interface Asked extends Partial<Omit<PackInput, 'receipts'>> {
  readonly from?: number
  readonly to?: number
  readonly treeSize?: number
  /** Whose log key signs the checkpoint. */
  readonly by?: KernelSigner
}

export interface TestLog {
  readonly receipts: readonly Stored[]
  note(treeSize?: number, by?: KernelSigner): Uint8Array
  input(asked?: Asked): PackInput
  pack(asked?: Asked): Promise<Uint8Array>
}

/** A log of these steps, with its tiles. */
export function testLog(steps: readonly Step[], of: LedgerIdentity = identity): TestLog {
  return logOf(sealAll(steps, of), of)
}

export function logOf(sealed: readonly Sealed[], of: LedgerIdentity = identity): TestLog {
  const receipts = sealed.map((one, logIndex): Stored => ({ ...one, logIndex }))
  const entries = receipts.map(({ entry }) => entry)
  const tiles = tilesOf(entries.map((entry) => leafHash(crypto, entry)))
  const note = (treeSize = receipts.length, by = ledgerKey) =>
    checkpointOf(entries.slice(0, treeSize), by, of.origin)
  const input = (asked: Asked = {}): PackInput => {
    const { from = 1, to = Infinity, treeSize = receipts.length, by, ...more } = asked
    const scope = more.scope ?? acme
    const inScope = receipts.filter(
      (one) => isOf(one, scope) && one.statement.seq >= from && one.statement.seq <= to,
    )
    return {
      crypto,
      identity: of,
      scope,
      receipts: inScope.filter(({ logIndex }) => logIndex < treeSize),
      keyReceipts: receipts.filter(({ statement }) => statement.kind === 'key'),
      checkpoint: note(treeSize, by),
      tiles,
      policies: async (hash) =>
        hash === policyHash
          ? { bytes: policyBytes, signature: encodeUtf8('a signature\n') }
          : undefined,
      ...more,
    }
  }
  return { receipts, note, input, pack: (asked) => buildPack(input(asked)) }
}

/** A log of `count` entries: its key's, then an activation and decisions in two scopes, mostly acme/prod. */
export function mixedSteps(count: number, by: KernelSigner = ledgerKey): readonly Step[] {
  const steps: Step[] = [{ by, draft: began(by) }]
  for (let i = 1; i < count; i++) {
    const scope = i % 3 === 2 ? other : acme
    steps.push({
      by,
      draft: i < 3 ? named(activation(scope, 1)) : named(decision(scope, 1)),
      at: i,
    })
  }
  return steps
}

/** The draft, under the policy of these tests. */
export function named<T extends Step['draft']>(draft: T): T {
  return { ...draft, body: { ...draft.body, policy_hash: policyHash } }
}

/** The members of a tar, read in the plainest way: as much of the format as a test wants to tamper with. */
export function membersOf(tar: Uint8Array): Map<string, Uint8Array> {
  const members = new Map<string, Uint8Array>()
  const text = Buffer.from(tar).toString('latin1')
  for (let at = 0; text[at] !== '\0';) {
    const [name = ''] = text.slice(at, at + 100).split('\0')
    const size = parseInt(text.slice(at + 124, at + 135), 8)
    members.set(name, tar.slice(at + 512, at + 512 + size))
    at += 512 + Math.ceil(size / 512) * 512
  }
  return members
}

/** A tar as an attacker writes it, of the members as they stand; `patch` changes a header field. */
export function tarOf(
  members: Iterable<readonly [string, Uint8Array]>,
  patch: (header: Buffer, name: string) => void = () => undefined,
): Uint8Array {
  const parts: Buffer[] = []
  for (const [name, bytes] of members) {
    const header = Buffer.alloc(512)
    header.write(name, 'latin1')
    header.write('0000644\x000000000\x000000000\0', 100)
    header.write(`${bytes.length.toString(8).padStart(11, '0')}\x0000000000000\0        0`, 124)
    header.write('ustar\x0000', 257)
    header.write('0000000\x000000000\0', 329)
    patch(header, name)
    const sum = header.reduce((total, byte) => total + byte, 0)
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    const padding = Buffer.alloc((512 - (bytes.length % 512)) % 512)
    parts.push(header, Buffer.from(bytes), padding)
  }
  return new Uint8Array(Buffer.concat([...parts, Buffer.alloc(1024)]))
}

/** A pack that was taken apart, changed and put together again, its manifest made to fit. */
export async function rebuilt(
  pack: Uint8Array,
  change: (members: Map<string, Uint8Array>) => void,
  facts: Partial<PackFacts> = {},
): Promise<Uint8Array> {
  const members = membersOf(pack)
  const manifest = members.get('manifest.json') ?? new Uint8Array()
  const before = await readManifest(manifest, digestsOf(members), idle)
  change(members)
  const after = await encodeManifest({ ...before, ...facts }, digestsOf(members), idle)
  members.set('manifest.json', after)
  return tarOf([...members].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The same members under a manifest with other words in it, canonical all the same. */
export function reworded(pack: Uint8Array, words: Readonly<Record<string, Json>>): Uint8Array {
  const members = membersOf(pack)
  const manifest = JSON.parse(Buffer.from(members.get('manifest.json') ?? '').toString()) as object
  return tarOf(members.set('manifest.json', canonicalBytes({ ...manifest, ...words })))
}

function digestsOf(members: Members): ReadonlyMap<string, Digest> {
  const others = [...members]
    .filter(([name]) => name !== 'manifest.json')
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return new Map(others.map(([name, bytes]) => [name, digest(crypto, bytes)]))
}

function isOf({ statement }: Stored, scope: Scope): boolean {
  const own = scopeOfStatement(statement)
  return own.tenantId === scope.tenantId && own.workspaceId === scope.workspaceId
}
