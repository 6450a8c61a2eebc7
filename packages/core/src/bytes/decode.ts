import type { ErrorCode } from '../error.ts'
import { KernelError } from '../error.ts'
import type { Json } from './json.ts'
import { decodeUtf8 } from './utf8.ts'

export interface JsonLimits {
  readonly maxBytes: number
  readonly code: ErrorCode
  readonly what: string
}

export function decodeJson(bytes: Uint8Array, limits: JsonLimits): Json {
  try {
    return JSON.parse(decodeUtf8(bytes)) as Json
  } catch (cause) {
    throw new KernelError(limits.code, 'not JSON', { cause })
  }
}
