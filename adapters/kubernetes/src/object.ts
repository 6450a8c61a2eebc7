import { isObject, type Json, type JsonObject } from '@helm-ai-kernel/core'

/** A HelmPolicyBundle as the API server told it, its spec unread. */
export interface PolicyObject {
  readonly name: string
  /** Of this object; another by the same name later has another. */
  readonly uid: string
  /** Moves when the spec does, and not when the status is written. */
  readonly generation: number
  readonly spec: JsonObject
  readonly ready: Ready | undefined
}

/** The condition of that type, as far as the next one depends on it. */
export interface Ready {
  readonly status: 'True' | 'False'
  /** Milliseconds since the epoch. */
  readonly since: number
}

const nothing: JsonObject = Object.freeze({})

/** Undefined when it is no object of the API. */
export function policyObject(json: Json | undefined): PolicyObject | undefined {
  const { metadata, spec, status } = members(json)
  const { name, uid, generation } = members(metadata)
  if (typeof name !== 'string' || typeof uid !== 'string') return undefined
  return {
    name,
    uid,
    generation: typeof generation === 'number' ? generation : 0,
    spec: members(spec),
    ready: readyOf(members(status)['conditions']),
  }
}

/** Own members of an object, none of anything else. */
export function members(json: Json | undefined): JsonObject {
  return isObject(json) ? json : nothing
}

function readyOf(conditions: Json | undefined): Ready | undefined {
  const list = Array.isArray(conditions) ? (conditions as readonly Json[]) : []
  const ready = list.map(members).find(({ type }) => type === 'Ready')
  const { status, lastTransitionTime } = members(ready)
  const since = typeof lastTransitionTime === 'string' ? Date.parse(lastTransitionTime) : NaN
  if ((status !== 'True' && status !== 'False') || Number.isNaN(since)) return undefined
  return { status, since }
}
