import { type Cancel, encodeUtf8, type Json, KernelError } from '@helm-ai-kernel/core'
import type { Api } from './api.ts'
import { type BundleRef, printRef } from './claim.ts'
import { members } from './object.ts'
import { refusedBy } from './permission.ts'

const resources = { ConfigMap: 'configmaps', Secret: 'secrets' } as const

/**
 * The bytes of one key, as they are. Throws `SOURCE_EMPTY` when there is none, and what a request throws.
 */
export async function readBundle(api: Api, ref: BundleRef, cancel: Cancel): Promise<Uint8Array> {
  const { kind, name, key } = ref
  const resource = resources[kind]
  const { status, json } = await api.get(`${resource}/${name}`, {}, cancel)
  const place = printRef(ref, api.namespace)
  if (status === 404) throw new KernelError('SOURCE_EMPTY', `there is no ${place}: create it`)
  if (status !== 200) {
    throw refusedBy(status, { verb: 'get', group: '', resource, name }, api.namespace)
  }
  const { data, binaryData } = members(json)
  const text = own(data, key)
  const base64 = kind === 'Secret' ? text : own(binaryData, key)
  if (base64 !== undefined) return Buffer.from(base64, 'base64')
  if (text === undefined) {
    throw new KernelError('SOURCE_EMPTY', `there is no such key in ${place}: put the bundle there`)
  }
  return encodeUtf8(text)
}

function own(json: Json | undefined, key: string): string | undefined {
  const map = members(json)
  const value = Object.hasOwn(map, key) ? map[key] : undefined
  return typeof value === 'string' ? value : undefined
}
