import {
  type Cancel,
  KernelError,
  type PolicySource,
  type Scope,
  scopeKey,
  version,
} from '@helm-ai-kernel/core'
import { type Head, parseHead } from '@helm-ai-kernel/core/bundle'
import type { Answer } from './answer.ts'
import type { Credential } from './credential.ts'
import { request, type RequestOptions } from './request.ts'
import { maxListingBytes, parseListing } from './scope-listing.ts'

export interface ControlPlaneOptions {
  /** Base of its routes: https, or http on loopback, since the credential goes there. */
  readonly url: string
  /** Asked for whether they are listed or not. */
  readonly scopes: readonly Scope[]
  readonly credential: Credential
  /** PEM certificates, instead of the CAs of the runtime. */
  readonly ca?: string | undefined
  /** How long no byte may come, ms; 3000 when absent. */
  readonly idle?: number
  /** Bytes of bundles on their way at one moment, over all scopes; 256 MiB when absent. */
  readonly maxLoading?: number
}

type Route = 'scopes' | 'head' | 'bundle'

/** A head, and what the control plane calls it. */
interface Tagged {
  readonly etag: string
  readonly head: Head
}

const maxHeadBytes = 65_536
const maxBundleBytes = 64 * 1024 * 1024
/** So much a bundle may always have: others that are large do not keep it away. */
const smallBundle = 1024 * 1024

/** RFC 9110, section 8.8.3, in ASCII and not longer than a name should be. */
const entityTag = /^(?:W\/)?"[\x21\x23-\x7e]{0,256}"$/

/**
 * Policy from a control plane (design 2.4): `head`, `bundle` and, where it is offered, `scopes` under
 * `api/v1/policy/`. What it answers is passed on as it is: the reconciler decides what it is worth.
 */
export function controlPlane(options: ControlPlaneOptions): PolicySource {
  const { credential, ca, idle, maxLoading = 256 * 1024 * 1024 } = options
  const base = options.url.replace(/\/+$/, '')
  const configured = byKey(options.scopes)
  /** Of each scope, the newest head, and the one that the policy came from. */
  const newest = new Map<string, Tagged>()
  const installed = new Map<string, Tagged>()
  let isListing = false
  /** Of `configured`, those that were listed once: what leaves the listing is withdrawn. */
  const listedOnce = new Set<string>()
  let loading = 0

  return Object.freeze({
    async scopes(cancel) {
      const answer = await ask('scopes', {}, { maxBytes: maxListingBytes, cancel })
      if ([404, 405, 501].includes(answer.status)) {
        if (!isListing) return [...configured.values()]
        throw unreachable(
          `the control plane, which listed its scopes, answers ${answer.status} now`,
        )
      }
      checkStatus('scopes', answer)
      const listed = byKey(parseListing(answer.bytes))
      isListing = true
      for (const [key, scope] of configured) {
        if (listed.has(key)) listedOnce.add(key)
        else if (!listedOnce.has(key)) listed.set(key, scope)
      }
      for (const key of installed.keys()) if (!listed.has(key)) installed.delete(key)
      return [...listed.values()]
    },

    async head(scope, cancel) {
      const key = scopeKey(scope)
      const known = installed.get(key)
      newest.delete(key)
      const answer = await ask('head', namesOf(scope), {
        maxBytes: maxHeadBytes,
        cancel,
        headers: known === undefined ? {} : { 'if-none-match': known.etag },
      })
      if (answer.status === 304) {
        if (known === undefined) {
          throw new KernelError(
            'HEAD_MALFORMED',
            'the control plane answered 304, not modified, and was not asked for that',
          )
        }
        newest.set(key, known)
        return known.head
      }
      if (answer.status === 404) {
        throw new KernelError(
          'SOURCE_EMPTY',
          `the control plane has no policy for ${key}: publish some, or look at ` +
            'HELM_POLICY_CONTROLPLANE_URL and HELM_POLICY_SCOPES',
        )
      }
      checkStatus('head', answer)
      const head = parseHead(answer.bytes)
      const { etag = '' } = answer.headers
      if (entityTag.test(etag)) newest.set(key, { etag, head })
      return head
    },

    async load(scope, { policyEpoch }, cancel) {
      let own = 0
      const taken = (bytes: number): void => {
        own += bytes
        loading += bytes
        if (loading <= maxLoading || own <= smallBundle) return
        throw new KernelError(
          'SOURCE_TOO_LARGE',
          `the bundles now on their way have more than ${maxLoading} bytes: this one has to wait`,
        )
      }
      try {
        const query = {
          ...(policyEpoch !== undefined && { policy_epoch: String(policyEpoch) }),
          ...namesOf(scope),
        }
        const answer = await ask('bundle', query, { maxBytes: maxBundleBytes, cancel, taken })
        checkStatus('bundle', answer)
        return answer.bytes
      } finally {
        loading -= own
      }
    },

    settled(scope, { reconcile_status: status }) {
      const key = scopeKey(scope)
      const tagged = newest.get(key)
      newest.delete(key)
      // INVARIANT: a head that was refused is asked for again in full, and never remembered.
      const isGood = status === 'ok' || status === 'no_change'
      if (isGood && tagged !== undefined) installed.set(key, tagged)
      else installed.delete(key)
    },
  } satisfies PolicySource)

  async function ask(
    route: Route,
    query: Readonly<Record<string, string>>,
    more: Pick<RequestOptions, 'maxBytes' | 'headers' | 'taken'> & { readonly cancel: Cancel },
  ): Promise<Answer> {
    const url = new URL(`${base}/api/v1/policy/${route}`)
    url.search = new URLSearchParams(query).toString()
    return request(url, {
      ...more,
      headers: {
        'user-agent': `helm-ai-kernel/${version}`,
        ...more.headers,
        ...(await credential.headers()),
      },
      ...(ca !== undefined && { ca }),
      ...(idle !== undefined && { idle }),
    })
  }

  /** Nothing but 200 brings what was asked for. */
  function checkStatus(route: Route, { status }: Answer): void {
    if (status === 200) return
    if (status === 401 || status === 403) {
      throw unreachable(`the control plane refuses the kernel (${status}): ${credential.remedy}`)
    }
    throw unreachable(`the control plane answered ${status} for the ${route}: look into its log`)
  }
}

function byKey(scopes: readonly Scope[]): Map<string, Scope> {
  return new Map(scopes.map((scope) => [scopeKey(scope), scope]))
}

function namesOf({ tenantId, workspaceId }: Scope): Readonly<Record<string, string>> {
  return { tenant_id: tenantId, workspace_id: workspaceId }
}

function unreachable(message: string): KernelError {
  return new KernelError('SOURCE_UNREACHABLE', message)
}
