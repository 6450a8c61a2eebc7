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
export { checkContinuation, type HistoryCode } from './continuation.ts'
export { fetchedTiles, type FetchPath } from './fetched-tiles.ts'
export { type Head, openHead } from './head.ts'
export { maxNoteBytes, type OpenedNote, openNote, signNote, type Verified } from './note.ts'
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
export { formatProof, parseProof, type TlogProof } from './tlog-proof.ts'
export { emptyRoot, leafHash, nodeHash } from './tree.ts'
export {
  type AnyVerifier,
  type Cosigner,
  type NoteVerifier,
  formatVerifierKey,
  parseVerifierKey,
} from './verifier-key.ts'
export {
  cosignerOf,
  heldHead,
  type Offer,
  witness,
  type Witness,
  type Witnessed,
} from './witness.ts'
