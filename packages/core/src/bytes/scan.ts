import type { ErrorCode } from '../error.ts'
import { KernelError } from '../error.ts'
import { canonical } from './canonical.ts'
import { decodeJson, type JsonLimits } from './decode.ts'
import type { Json } from './json.ts'
import { decodeUtf8 } from './utf8.ts'

export interface CanonicalLimits extends JsonLimits {
  readonly notCanonical: ErrorCode
  readonly maxElementBytes?: number
  readonly elementsOf?: string
}

export function decodeCanonical(bytes: Uint8Array, limits: CanonicalLimits): Json {
  const json = decodeJson(bytes, limits)
  if (canonical(json) !== decodeUtf8(bytes)) throw new KernelError(limits.notCanonical, 'not canonical')
  return json
}

// eslint-disable-next-line require-yield
export function* decodeCanonicalSliced(
  bytes: Uint8Array,
  limits: CanonicalLimits,
): Generator<undefined, Json> {
  return decodeCanonical(bytes, limits)
}
