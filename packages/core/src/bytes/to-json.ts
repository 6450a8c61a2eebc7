import type { Json } from './json.ts'

export function toJson(value: unknown, _what: string): Json {
  return JSON.parse(JSON.stringify(value)) as Json
}
