import { type Cancel, type Json, KernelError } from '@helm-ai-kernel/core'
import type { Api } from './api.ts'
import { members, policyObject, type PolicyObject } from './object.ts'
import { refusedBy } from './permission.ts'

/** Every HelmPolicyBundle of the namespace, as of one moment. */
export interface Listing {
  readonly objects: readonly PolicyObject[]
  /** Where a watch goes on. */
  readonly resourceVersion: string
}

const pageSize = 100
const maxObjects = 5000
const attempts = 3

/**
 * Lists page by page, all of one resourceVersion: all of it or nothing. Throws `SOURCE_UNREACHABLE`,
 * `SOURCE_TIMEOUT` or `SOURCE_TOO_LARGE`.
 */
export async function listAll(api: Api, cancel: Cancel): Promise<Listing> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const listing = await pages(api, cancel)
    if (listing !== undefined) return listing
  }
  throw unreachable('the list of HelmPolicyBundles expires faster than it can be read')
}

/** Undefined when a page expired (410): pages of two moments are no listing. */
async function pages(api: Api, cancel: Cancel): Promise<Listing | undefined> {
  const objects: PolicyObject[] = []
  const limit = String(pageSize)
  let next = ''
  do {
    const query = next === '' ? { limit } : { limit, continue: next }
    const { status, json } = await api.get('helmpolicybundles', query, cancel)
    if (status === 410) return undefined
    if (status !== 200) {
      const act = { verb: 'list', group: 'policy.helm.ai', resource: 'helmpolicybundles' } as const
      throw refusedBy(status, act, api.namespace)
    }
    const { items, metadata } = members(json)
    const { resourceVersion, continue: more = '' } = members(metadata)
    if (!Array.isArray(items) || typeof resourceVersion !== 'string' || typeof more !== 'string') {
      throw unreachable('the API server answered what is no list of HelmPolicyBundles')
    }
    for (const item of items as readonly Json[]) {
      const object = policyObject(item)
      if (object === undefined) throw unreachable('the API server listed an object without a name')
      objects.push(object)
    }
    if (objects.length > maxObjects) {
      throw new KernelError(
        'SOURCE_TOO_LARGE',
        `there are more than ${maxObjects} HelmPolicyBundles in namespace ${api.namespace}`,
      )
    }
    if (more === '') return { objects, resourceVersion }
    next = more
  } while (!cancel.aborted)
  throw new KernelError('SOURCE_TIMEOUT', 'the list of HelmPolicyBundles was not read in time')
}

function unreachable(message: string): KernelError {
  return new KernelError('SOURCE_UNREACHABLE', message)
}
