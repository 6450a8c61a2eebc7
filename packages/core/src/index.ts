export { type ErrorCode, isKernelError, KernelError, messageOf } from './error.ts'
export {
  type DecisionCode,
  type HttpCode,
  type PolicyCode,
  type ReadinessCode,
  type ReasonCode,
  reasonCodes,
} from './reason.ts'
export { type Digest, digest, digestOf, equalDigests, isDigest } from './bytes/digest.ts'
export { parseDuration } from './bytes/duration.ts'
export { equalBytes } from './bytes/equal.ts'
export { decodeHex, encodeHex } from './bytes/hex.ts'
export { isObject, type Json, type JsonObject } from './bytes/json.ts'
export { canonical, canonicalBytes } from './bytes/canonical.ts'
export { decodeJson, type JsonLimits } from './bytes/decode.ts'
export { toJson } from './bytes/to-json.ts'
export { decodeUtf8, encodeUtf8 } from './bytes/utf8.ts'
export { isTimestamp, parseTimestamp, type Timestamp, timestamp } from './bytes/time.ts'
export { nobleCrypto } from './crypto/noble.ts'
export { parsePublicKey } from './crypto/public-key.ts'
export { parseSeed } from './crypto/seed.ts'
export { type KernelSigner, signer } from './crypto/signer.ts'
export { isKeyId, type KeyId, keyIdOf } from './crypto/key-id.ts'
export {
  keysFor,
  noTrust,
  parseTrustRoot,
  type TrustKey,
  trustKeys,
  type TrustRoot,
} from './trust/root.ts'
export { sameScope, type Scope, scopeKey, scopeOf, systemScope } from './trust/scope.ts'
export type { Cancel, Clock } from './ports/clock.ts'
export type { ConditionResult, Conditions } from './ports/conditions.ts'
export type { Crypto, Hasher, Signer } from './ports/crypto.ts'
export type { Disk, DiskError, File } from './ports/disk.ts'
export type { Keep } from './ports/keep.ts'
export type { Ledger, LedgerCode, LedgerFault } from './ports/ledger.ts'
export type { Held, Holder, Lock } from './ports/lock.ts'
export type { ReceiptIndex } from './ports/receipt-index.ts'
export type { Tile, Tiles } from './ports/tiles.ts'
export type { PolicySource } from './ports/policy-source.ts'
export type { Random } from './ports/random.ts'
export type {
  Draft,
  LedgerIdentity,
  LedgerState,
  Mark,
  ReceiptPage,
  ReceiptQuery,
  ReceiptStore,
  Refused as RefusedDraft,
  ScopeState,
  Seal,
  Sealed,
  Stored,
  TrustMark,
} from './ports/receipt-store.ts'
export type { Caller } from './kernel/caller.ts'
export { type Cancelling, createCancel } from './kernel/cancel.ts'
export { type Guard, type GuardedCall, Refused } from './kernel/guard.ts'
export type { Authority } from './kernel/authority.ts'
export type { InstallOptions, SignatureInput } from './kernel/delivery.ts'
export type { InstallResult } from './kernel/install.ts'
export { type Answer, createKernel, type Kernel } from './kernel/kernel.ts'
export type { KernelOptions } from './kernel/options.ts'
export type { InstalledPolicy, PolicyStanding } from './kernel/standing.ts'
export { version } from './kernel/version.ts'
export type { Decision } from './policy/decision.ts'
export { isText, type RequestInput } from './policy/request.ts'
export { memoryStore } from './receipt/memory-store.ts'
export { fits, page } from './receipt/query.ts'
export { type Admit, sealDrafts, type Sealing } from './receipt/seal.ts'
export type { ReceiptId } from './receipt/entry.ts'
export type { Statement, Surface, Verdict } from './receipt/statement.ts'
export { checkPublicKey } from './crypto/noble.ts'
export { checkSeed } from './crypto/seed.ts'
