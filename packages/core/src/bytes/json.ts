/** A JSON value as `decodeJson` makes it: finite numbers, well-formed strings, own members only. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject

export interface JsonObject {
  readonly [member: string]: Json
}

/** How deep arrays and objects may nest. */
export const maxDepth = 64

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
