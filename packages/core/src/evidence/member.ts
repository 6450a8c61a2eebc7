import { KernelError } from '../error.ts'
import { maxEntryBytes } from '../receipt/entry.ts'

/** A whole pack, as a tar. */
export const maxPackBytes: number = 64 * 1024 * 1024
/** Receipts of one pack. */
export const maxReceipts = 10_000
/** `key` receipts of one ledger; each rotation is two. */
export const maxKeyReceipts = 1_000

/** Members of a pack by name. Names are ASCII, so that every order of them is the same. */
export type Members = ReadonlyMap<string, Uint8Array>

export const manifestName = 'manifest.json'
export const keysName = 'keys.json'
export const saltsName = 'salts.json'
export const checkpointName = 'log/checkpoint'
export const receiptName = (seq: number): string => `receipts/${seq}.json`
export const receiptProofName = (seq: number): string => `log/proofs/${seq}.tlog-proof`
export const keyName = (logIndex: number): string => `keys/${logIndex}.json`
export const keyProofName = (logIndex: number): string => `keys/${logIndex}.tlog-proof`
/** `policyHash` without its `sha256:`. */
export const policyName = (policyHash: string): string =>
  `policy/${policyHash.slice('sha256:'.length)}.bundle`
export const signatureName = (policyHash: string): string => `${policyName(policyHash)}.sig`

/** INVARIANT: these are all the names there are, so no name leads out of the folder it is put in. */
const forms: readonly (readonly [form: RegExp, maxBytes: number])[] = [
  [/^manifest\.json$/, 4 * 1024 * 1024],
  [/^keys\.json$/, 512 * 1024],
  [/^salts\.json$/, 1024 * 1024],
  [/^log\/checkpoint$/, 128 * 1024],
  [/^log\/proofs\/[1-9]\d{0,15}\.tlog-proof$/, 256 * 1024],
  [/^receipts\/[1-9]\d{0,15}\.json$/, maxEntryBytes],
  [/^keys\/(?:0|[1-9]\d{0,15})\.json$/, maxEntryBytes],
  [/^keys\/(?:0|[1-9]\d{0,15})\.tlog-proof$/, 256 * 1024],
  [/^policy\/[0-9a-f]{64}\.bundle$/, maxPackBytes],
  [/^policy\/[0-9a-f]{64}\.bundle\.sig$/, 16 * 1024],
]

/** Throws `EVIDENCE_INVALID` when a pack has no member of that name, or none of that size. */
export function checkMember(name: string, size: number): void {
  const [, maxBytes] = forms.find(([form]) => form.test(name)) ?? []
  if (maxBytes === undefined) {
    throw malformed(`${shown(JSON.stringify(name))} is the name of no member that a pack has`)
  }
  if (size > maxBytes) {
    throw malformed(`${name} is ${size} bytes, at most ${maxBytes} are allowed`)
  }
}

/** The log indices of the `key` receipts that are there, ascending. */
export function keyIndices(members: Members): readonly number[] {
  const names = [...members.keys()].flatMap((name) => /^keys\/(\d+)\.json$/.exec(name)?.[1] ?? [])
  return names.map(Number).sort((a, b) => a - b)
}

export function malformed(why: string): KernelError {
  return new KernelError('EVIDENCE_INVALID', `not an evidence pack: ${why}`)
}

/** What somebody else wrote, not too long. */
export function shown(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}
