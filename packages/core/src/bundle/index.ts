export { type Expectation, decode, inspect, type VerifiedBundle } from './decode.ts'
export type { ApprovalRule, PolicyBundle, Rule, SelfTest } from './document.ts'
export { type BundleDefaults, encodeBundle } from './encode.ts'
export { type Head, parseHead } from './head.ts'
export {
  bareSignature,
  type BundleSignature,
  encodeSignatures,
  parseSignatures,
  type Proof,
  signatureList,
  type Signatures,
  signBundle,
} from './signature.ts'
export {
  type Provenance,
  type UnverifiedBundle,
  type Verification,
  type VerifiedBytes,
  verify,
} from './verify.ts'
