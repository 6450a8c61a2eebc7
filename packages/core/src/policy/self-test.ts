import type { SelfTest } from '../bundle/document.ts'
import type { VerifiedBundle } from '../bundle/decode.ts'
import { finish } from '../bytes/finish.ts'
import { isKernelError, KernelError } from '../error.ts'
import { decide } from './decide.ts'
import { factsOf } from './facts.ts'
import type { Decision } from './decision.ts'
import { parseRequest } from './request.ts'
import type { EffectivePolicySnapshot } from './snapshot.ts'

/** How one of a bundle's own tests came out. */
export interface SelfTestResult {
  readonly name: string
  /** Undefined when the test's request cannot be asked at all. */
  readonly decision: Decision | undefined
  /** What differed from what was expected; undefined when the test passed. */
  readonly failure: string | undefined
}

/** Runs a bundle's own tests against its snapshot, at wall time `now`; yields after each. */
export function* runSelfTestsSliced(
  bundle: Pick<VerifiedBundle, 'tests'>,
  snapshot: EffectivePolicySnapshot,
  now: number,
): Generator<undefined, readonly SelfTestResult[]> {
  const results: SelfTestResult[] = []
  for (const test of bundle.tests) {
    results.push(resultOf(test, snapshot, now))
    yield
  }
  return results
}

/** `runSelfTestsSliced`, run to its end. */
export function runSelfTests(
  bundle: Pick<VerifiedBundle, 'tests'>,
  snapshot: EffectivePolicySnapshot,
  now: number,
): readonly SelfTestResult[] {
  return finish(runSelfTestsSliced(bundle, snapshot, now))
}

/** Throws `SELF_TEST_FAILED`, naming the first test that failed (design 3.2, step 8). */
export function requirePassed(results: readonly SelfTestResult[]): void {
  for (const { name, failure } of results) {
    if (failure !== undefined) {
      throw new KernelError('SELF_TEST_FAILED', `test "${name}": ${failure}`, { at: 'tests' })
    }
  }
}

function resultOf(test: SelfTest, snapshot: EffectivePolicySnapshot, now: number): SelfTestResult {
  try {
    const decision = decideTest(test, snapshot, now)
    return { name: test.name, decision, failure: difference(test, decision) }
  } catch (error) {
    if (!isKernelError(error, 'REQUEST_MALFORMED')) throw error
    return { name: test.name, decision: undefined, failure: `its request: ${error.message}` }
  }
}

function decideTest(test: SelfTest, snapshot: EffectivePolicySnapshot, now: number): Decision {
  const { session_id: sessionId, ...members } = test.request
  const request = parseRequest({ ...members, sessionId })
  const { tenantId, workspaceId } = snapshot.scope
  const auth = {
    tenant_id: tenantId,
    workspace_id: workspaceId,
    credential: 'self-test',
    roles: ['decide'],
    surface: 'evaluate',
  } as const
  return decide(snapshot, factsOf(request, snapshot.resourcesFrom, auth, now))
}

function difference({ expect }: SelfTest, decision: Decision): string | undefined {
  const { verdict, reasonCode, ruleIds } = decision
  if (verdict !== expect.verdict) {
    return `expected ${expect.verdict}, decided ${verdict} (${reasonCode})`
  }
  if (expect.rule_id !== undefined && !ruleIds.includes(expect.rule_id)) {
    return `expected rule ${expect.rule_id}, matched ${ruleIds.join(', ') || 'none'}`
  }
  if (expect.reason_code !== undefined && expect.reason_code !== reasonCode) {
    return `expected ${expect.reason_code}, decided ${reasonCode}`
  }
  return undefined
}
