import { canonicalBytes } from '../bytes/canonical.ts'
import { isObject, type Json, type JsonObject } from '../bytes/json.ts'
import { decodeCanonical } from '../bytes/scan.ts'
import { KernelError } from '../error.ts'
import type { ReceiptId } from '../receipt/entry.ts'

/**
 * What a decision was asked with and its receipt does not say in clear, kept beside it when the
 * operator wants that (`HELM_RECEIPT_ARGS=store`).
 */
export interface StoredArgs {
  /** `args_hash` and `context_hash` of the receipt are over these. */
  readonly args: JsonObject
  readonly context: JsonObject
  /** As the caller named it: the receipt has the one that `resources_from` found. */
  readonly resource: string
  /** Of the credential; rules see them as `auth.roles`. */
  readonly roles: readonly string[]
}

/** A request is at most 1 MiB, and its canonical form can be longer: numbers, and the members here. */
const maxBytes = 4 * 1024 * 1024

/** The name in a Keep, and below the data directory (design 4.1). */
export function storedArgsName(receiptId: ReceiptId): string {
  return `args/${receiptId}.json`
}

export function encodeStoredArgs({ args, context, resource, roles }: StoredArgs): Uint8Array {
  return canonicalBytes({ args, context, resource, roles })
}

/** Throws `RECEIPT_MALFORMED`. */
export function decodeStoredArgs(bytes: Uint8Array): StoredArgs {
  const code = 'RECEIPT_MALFORMED'
  const what = 'stored arguments'
  const json = decodeCanonical(bytes, { maxBytes, code, notCanonical: code, what })
  const { args, context, resource, roles, ...others } = isObject(json) ? json : {}
  if (
    !isObject(args) ||
    !isObject(context) ||
    typeof resource !== 'string' ||
    !isTexts(roles) ||
    Object.keys(others).length > 0
  ) {
    throw new KernelError(code, 'stored arguments are args, context, resource and roles')
  }
  return { args, context, resource, roles }
}

function isTexts(value: Json | undefined): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}
