export {
  type Checkpoint,
  claimedCheckpoint,
  defaultOrigin,
  formatCheckpoint,
  openCheckpoint,
  parseCheckpoint,
  parseOrigin,
  signCheckpoint,
} from './checkpoint.ts'
export { type OpenedNote, openNote, signNote } from './note.ts'
export {
  type Consistency,
  type HashOf,
  type Inclusion,
  type Proof,
  consistencyProof,
  inclusionProof,
  verifyConsistency,
  verifyInclusion,
} from './proof.ts'
export { type Range, createRange } from './range.ts'
export { emptyRoot, leafHash, nodeHash } from './tree.ts'
export { type NoteVerifier, formatVerifierKey, parseVerifierKey } from './verifier-key.ts'
