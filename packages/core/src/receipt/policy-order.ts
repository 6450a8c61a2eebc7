import type { Mark, ScopeState } from '../ports/receipt-store.ts'
import type { ActivationBody, DecisionBody, Statement } from './statement.ts'

/**
 * How a receipt breaks the order of policies within its scope (design 2.6), whose state before it is
 * given; undefined when it does not.
 */
export function policyViolation(before: ScopeState, statement: Statement): string | undefined {
  if (statement.kind === 'activation') return activationViolation(before, statement)
  if (statement.kind === 'decision') return decisionViolation(before, statement)
  if (statement.kind === 'forget' && before.signed === undefined) {
    return 'forgets signed policy where none was active'
  }
  return undefined
}

const unsignedAfterSigned = 'is of unsigned policy, after signed policy was active'

function activationViolation(before: ScopeState, activation: ActivationBody): string | undefined {
  if (!activation.signed && before.signedOnly) return unsignedAfterSigned
  const newest: Mark | undefined = activation.signed ? before.signed : before.unsigned
  if (newest === undefined || activation.policy_epoch > newest.epoch) return undefined
  if (activation.policy_epoch < newest.epoch) {
    return `activates epoch ${activation.policy_epoch} after ${newest.epoch}`
  }
  return activation.policy_hash === newest.hash
    ? undefined
    : `activates another policy of epoch ${newest.epoch}`
}

function decisionViolation(before: ScopeState, decision: DecisionBody): string | undefined {
  const { policy_epoch: epoch, policy_hash: hash, policy_signed: signed } = decision
  if (epoch === null) return undefined
  if (signed !== true && before.signedOnly) return unsignedAfterSigned
  const newest: Mark | undefined = signed === true ? before.signed : before.unsigned
  if (newest === undefined) return `was decided by a policy that was never active`
  if (epoch < newest.epoch) return `was decided by epoch ${epoch}, after ${newest.epoch} was active`
  return epoch === newest.epoch && hash === newest.hash
    ? undefined
    : `was decided by a policy of epoch ${epoch} that was not active`
}
