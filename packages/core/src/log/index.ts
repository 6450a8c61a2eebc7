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
  treeRoot,
  verifyConsistency,
  verifyInclusion,
} from './proof.ts'
export {
  decodeEntries,
  encodeEntries,
  hashBytes,
  parseTilePath,
  tilePath,
  tileWidth,
  tileWidthAt,
} from './tile.ts'
export {
  edgeOfTiles,
  proveConsistency,
  proveInclusion,
  rootOfTiles,
  subtree,
  type TileReader,
} from './tiled-proof.ts'
export { type Range, createRange } from './range.ts'
export { emptyRoot, leafHash, nodeHash } from './tree.ts'
export { type NoteVerifier, formatVerifierKey, parseVerifierKey } from './verifier-key.ts'
