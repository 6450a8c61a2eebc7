import {
  type Crypto,
  decodeJson,
  digest,
  isObject,
  type Json,
  KernelError,
  type Mark,
  type Scope,
} from '@helm-ai-kernel/core'
import { encodeBundle } from '@helm-ai-kernel/core/bundle'
import { parseYaml } from './yaml.ts'

/** What a ConfigMap holds. YAML is slow to read; a larger policy is built and signed beforehand. */
export const maxAuthoredBytes: number = 1024 * 1024

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Whether a file of this name holds policy as people write it. */
export function isAuthored(name: string): boolean {
  return /\.(ya?ml|json)$/.test(name)
}

/**
 * Reads policy as people write it (design 2.2), YAML or JSON by the file's name. Throws
 * `BUNDLE_MALFORMED` with the file's name, line and column.
 */
export function parseAuthored(bytes: Uint8Array, name: string): Json {
  const code = 'BUNDLE_MALFORMED'
  const maxBytes = maxAuthoredBytes
  if (name.endsWith('.json')) return decodeJson(bytes, { maxBytes, code, what: name })
  if (bytes.length > maxBytes) {
    throw new KernelError(code, `${name} is over ${maxBytes} bytes: build a bundle of it`)
  }
  return parseYaml(textOf(bytes, name), name)
}

/**
 * The bundle of an authored policy whose author need not count epochs (design 3.2): the epoch of
 * `mark`, the newest activation, when the bytes are then the same, else the next. So restarts and
 * replicas settle, and it is never below what the scope has seen. Throws `BUNDLE_MALFORMED`.
 */
export function buildAuthored(
  authored: Json,
  scope: Scope,
  mark: Mark | undefined,
  crypto: Crypto,
): Uint8Array {
  const { policy_epoch: own = 1 } = isObject(authored) ? authored : {}
  const build = (policyEpoch: number): Uint8Array =>
    encodeBundle(isObject(authored) ? { ...authored, policy_epoch: policyEpoch } : authored, {
      scope,
      policyEpoch,
    })
  // What is no epoch is refused in the words, and at the place, of every other member.
  if (typeof own !== 'number' || !Number.isSafeInteger(own) || own < 1) {
    return encodeBundle(authored, { scope, policyEpoch: 1 })
  }
  if (mark === undefined) return build(own)
  const same = build(Math.max(own, mark.epoch))
  return digest(crypto, same) === mark.hash ? same : build(Math.max(own, mark.epoch + 1))
}

function textOf(bytes: Uint8Array, name: string): string {
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch (cause) {
    throw new KernelError('BUNDLE_MALFORMED', `${name} is not UTF-8`, { cause })
  }
  if (text.startsWith('\ufeff')) {
    throw new KernelError('BUNDLE_MALFORMED', `${name} begins with a byte order mark: remove it`)
  }
  return text
}
