import type { Json, JsonObject } from '../bytes/json.ts'
import { timestamp } from '../bytes/time.ts'
import type { Surface } from '../receipt/statement.ts'
import type { Request } from './request.ts'
import { isText } from './request.ts'
import { readPath } from './path.ts'

/** What rules can see of one request. */
export interface Facts {
  readonly principal: string
  readonly action: string
  readonly resource: string
  readonly sessionId: string
  /** The caller's claim; a `principal` in here is data. */
  readonly args: JsonObject
  readonly context: JsonObject
  /** Set by the kernel alone. */
  readonly auth: AuthFacts
  /** Wall time, ms; rules see it as `time`, RFC 3339 UTC with milliseconds. */
  readonly now: number
}

/** Who is asking, as the kernel knows it. Wire names, since rules address them. */
export interface AuthFacts {
  readonly tenant_id: string
  readonly workspace_id: string
  readonly credential: string
  readonly roles: readonly string[]
  readonly surface: Surface
}

/** The roots of condition paths, and how each is read. */
export const roots: Readonly<Record<string, (facts: Facts) => Json>> = {
  principal: (facts) => facts.principal,
  action: (facts) => facts.action,
  resource: (facts) => facts.resource,
  session_id: (facts) => facts.sessionId,
  args: (facts) => facts.args,
  context: (facts) => facts.context,
  auth: (facts) => facts.auth as unknown as JsonObject,
  time: (facts) => timestamp(facts.now),
}

/**
 * The facts of a request. When the caller names no resource and the policy says which argument is the
 * resource of this action (`resources_from`), that argument is it; undefined when it is missing or
 * cannot be one, which is a condition error.
 */
export function factsOf(
  request: Request,
  resourcesFrom: ReadonlyMap<string, string> | undefined,
  auth: AuthFacts,
  now: number,
): Facts | undefined {
  const { principal, action, sessionId, args, context } = request
  let { resource } = request
  const path = resource === '' ? resourcesFrom?.get(action) : undefined
  if (path !== undefined) {
    const named = readPath(args, path.split('.').slice(1))
    if (!isText(named, 2048)) return undefined
    resource = named
  }
  return { principal, action, resource, sessionId, args, context, auth, now }
}
