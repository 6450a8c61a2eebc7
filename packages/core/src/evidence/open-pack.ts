import type { Digest } from '../bytes/digest.ts'
import type { Crypto } from '../ports/crypto.ts'
import { sameScope, systemScope } from '../trust/scope.ts'
import { digestMembers } from './digests.ts'
import { type PackFacts, readManifest } from './manifest.ts'
import * as member from './member.ts'
import { idle, type Pause } from './pause.ts'
import { decodeTar } from './tar.ts'

/** A pack whose members are those that its own manifest names; nothing else is known of them. */
export interface OpenedPack {
  readonly facts: PackFacts
  readonly members: member.Members
  readonly digests: ReadonlyMap<string, Digest>
  /** Log indices of its `key` receipts, ascending. */
  readonly keyIndices: readonly number[]
}

/** The members of a pack, each of a name and size that a pack may have. Throws `EVIDENCE_INVALID`. */
export function readMembers(tar: Uint8Array, pause: Pause = idle): Promise<member.Members> {
  return decodeTar(tar, member.checkMember, pause)
}

/** Holds members against the manifest among them. Throws `EVIDENCE_INVALID` and `IDENTIFIER_INVALID`. */
export async function openPack(
  crypto: Crypto,
  members: member.Members,
  pause: Pause,
): Promise<OpenedPack> {
  const manifest = memberOf(members, member.manifestName)
  const others = new Map(members)
  others.delete(member.manifestName)
  const digests = await digestMembers(crypto, others, pause)
  const facts = await readManifest(manifest, digests, pause)
  if (sameScope(facts.scope, systemScope)) {
    throw member.malformed('helm/system is no scope of which there are packs')
  }
  const keyIndices = member.keyIndices(members)
  if (keyIndices.length > member.maxKeyReceipts) {
    throw member.malformed(`it has more than ${member.maxKeyReceipts} key receipts`)
  }
  return { facts, members, digests, keyIndices }
}

/**
 * The members that the pack must have, of these policies, and those that it may have. Throws
 * `EVIDENCE_INVALID` when one is missing or is there for nothing.
 */
export function checkMembers(
  { facts, members, keyIndices }: OpenedPack,
  policies: readonly Digest[],
): void {
  const known = new Set<string>()
  const require = (name: string): void => {
    memberOf(members, name)
    known.add(name)
  }
  for (const name of [member.manifestName, member.keysName, member.checkpointName]) require(name)
  if (facts.salts) require(member.saltsName)
  for (let seq = facts.from; seq <= facts.to; seq++) {
    require(member.receiptName(seq))
    require(member.receiptProofName(seq))
  }
  for (const index of keyIndices) {
    require(member.keyName(index))
    require(member.keyProofName(index))
  }
  for (const hash of policies) {
    require(member.policyName(hash))
    known.add(member.signatureName(hash))
  }
  for (const name of members.keys()) {
    if (!known.has(name)) throw member.malformed(`${name} belongs to nothing in it`)
  }
}

/** Throws `EVIDENCE_INVALID` when it is not there. */
export function memberOf(members: member.Members, name: string): Uint8Array {
  const bytes = members.get(name)
  if (bytes === undefined) throw member.malformed(`${name} is missing`)
  return bytes
}
