import { type JsonObject, timestamp } from '@helm-ai-kernel/core'
import type { Facts } from '@helm-ai-kernel/core/policy'
import { celMapOf } from './json.ts'
import type { Variables } from './machine.ts'

/** What a condition may name: the roots of the core's paths, `time` a text as there. */
export const roots: Variables<Facts> = Object.freeze({
  principal: (facts) => facts.principal,
  action: (facts) => facts.action,
  resource: (facts) => facts.resource,
  session_id: (facts) => facts.sessionId,
  args: (facts) => celMapOf(facts.args),
  context: (facts) => celMapOf(facts.context),
  auth: (facts) => celMapOf(facts.auth as unknown as JsonObject),
  time: (facts) => timestamp(facts.now),
} satisfies Variables<Facts>)
