import { runSelfTests } from '@helm-ai-kernel/core/policy'
import type { Command } from '../command.ts'
import { compileUnverified, readPolicy } from '../policy-file.ts'
import { answer } from '../print.ts'

export const bundleTest: Command = {
  summary: 'run the tests that a policy or a bundle carries',
  usage: '<policy.yaml|policy.bundle>',
  example: 'bundle test policy.yaml',
  flags: {},
  operands: [1, 1],
  async run(given, io) {
    const [path = ''] = given.operands
    const { bundle, snapshot } = compileUnverified(await readPolicy(io, path))
    const results = runSelfTests(bundle, snapshot, Date.now())
    const failed = results.filter(({ failure }) => failure !== undefined).length
    const document = {
      passed: results.length - failed,
      failed,
      tests: results.map(({ name, failure, decision }) => ({
        name,
        passed: failure === undefined,
        ...(failure !== undefined && { failure }),
        verdict: decision?.verdict,
        reason_code: decision?.reasonCode,
        rule_ids: decision?.ruleIds,
      })),
    }
    const lines = results.map(({ name, failure }) =>
      failure === undefined ? `pass ${name}` : `fail ${name}: ${failure}`,
    )
    const total =
      results.length === 0
        ? `warning: ${path} has no tests`
        : `${document.passed} passed, ${failed} failed`
    return answer(io, given, document, [...lines, total], failed === 0 ? 0 : 1)
  },
}
