import { isKernelError, KernelError, scopeKey } from '@helm-ai-kernel/core'
import { encodeBundle, type Rule } from '@helm-ai-kernel/core/bundle'
import { isAuthored, parseAuthored } from '@helm-ai-kernel/host'
import type { Command } from '../command.ts'
import { compareDecisions, type DecisionChange, type Said } from '../decision-difference.ts'
import { type Change, lineOf } from '../difference.ts'
import { readFile } from '../files.ts'
import type { Io } from '../io.ts'
import { comparePolicies } from '../policy-difference.ts'
import { compileUnverified, defaultScope } from '../policy-file.ts'
import { answer, print } from '../print.ts'

type Compiled = ReturnType<typeof compileUnverified>

export const bundleDiff: Command = {
  summary: 'show what changes from one policy or bundle to another; nothing is verified',
  usage: '<old> <new>',
  example: 'bundle diff dist/policy.bundle policy.yaml',
  flags: {},
  operands: [2, 2],
  details: [
    'The tests of both are decided by both, and every other decision is shown. The exit code is 0',
    'when nothing changes and 1 when anything does.',
  ],
  async run(given, io) {
    const [oldPath = '', newPath = ''] = given.operands
    const [before, after] = await readBoth(io, oldPath, newPath)
    const { members, rules, tests } = comparePolicies(before.bundle, after.bundle)
    const decisions = compareDecisions(before, after, Date.now())
    const [oldRules, newRules] = [rulesOf(before), rulesOf(after)]
    const lines = [
      ...members.map((change) => `~ ${lineOf(change)}`),
      ...rules.removed.map((id) => `- rule ${describe(id, oldRules.get(id))}`),
      ...rules.added.map((id) => `+ rule ${describe(id, newRules.get(id))}`),
      ...rules.changed.map(({ name, members }) => `~ rule ${name}: ${linesOf(members)}`),
      ...tests.removed.map((name) => `- test "${name}"`),
      ...tests.added.map((name) => `+ test "${name}"`),
      ...tests.changed.map(({ name, members }) => `~ test "${name}": ${linesOf(members)}`),
      ...decisions.map(decisionLine),
    ]
    const document = {
      same: lines.length === 0,
      old: sideOf(oldPath, before),
      new: sideOf(newPath, after),
      members,
      rules: {
        added: rules.added.map((id) => newRules.get(id)),
        removed: rules.removed.map((id) => oldRules.get(id)),
        changed: rules.changed.map(({ name: id, members }) => ({ id, members })),
      },
      tests,
      decisions,
    }
    if (document.same && document.old.policy_hash !== document.new.policy_hash) {
      print(io, 'stderr', ['the bytes differ, but not in what they say'])
    }
    return answer(io, given, document, lines, document.same ? 0 : 1)
  },
}

/** What a policy as people write it leaves out is what the other one says: it is no difference. */
async function readBoth(
  io: Io,
  oldPath: string,
  newPath: string,
): Promise<readonly [Compiled, Compiled]> {
  const [oldBytes, newBytes] = [await readFile(io, oldPath), await readFile(io, newPath)]
  const built = [
    isAuthored(oldPath) ? undefined : compiled(oldPath, () => oldBytes),
    isAuthored(newPath) ? undefined : compiled(newPath, () => newBytes),
  ] as const
  const other = built[0] ?? built[1]
  const defaults = other?.bundle ?? { scope: defaultScope, policyEpoch: 1 }
  const compileAuthored = (path: string, bytes: Uint8Array): Compiled => {
    const authored = parseAuthored(bytes, path)
    return compiled(path, () => encodeBundle(authored, defaults))
  }
  return [
    built[0] ?? compileAuthored(oldPath, oldBytes),
    built[1] ?? compileAuthored(newPath, newBytes),
  ]
}

/** Compiles one of the two; what is refused says which. */
function compiled(path: string, bytes: () => Uint8Array): Compiled {
  try {
    return compileUnverified(bytes())
  } catch (cause) {
    if (!isKernelError(cause)) throw cause
    throw new KernelError(cause.code, `${path}: ${cause.message}`, { cause })
  }
}

function sideOf(file: string, { bundle }: Compiled) {
  const { scope, policyEpoch, policyHash } = bundle
  return {
    file,
    scope: scopeKey(scope),
    policy_epoch: policyEpoch,
    policy_hash: policyHash,
    rules: bundle.rules.length,
    tests: bundle.tests.length,
  }
}

function rulesOf({ bundle }: Compiled): ReadonlyMap<string, Rule> {
  return new Map(bundle.rules.map((rule) => [rule.id, rule]))
}

function describe(id: string, rule: Rule | undefined): string {
  if (rule === undefined) return id
  const { effect, actions, resources = ['*'], principals = ['*'], when } = rule
  const condition = when === undefined ? '' : ', on a condition'
  const list = (patterns: readonly string[]): string => patterns.join(' ')
  return `${id}: ${effect} ${list(actions)} on ${list(resources)} by ${list(principals)}${condition}`
}

function linesOf(changes: readonly Change[]): string {
  return changes.map(lineOf).join('; ')
}

function decisionLine({ test, before, after }: DecisionChange): string {
  return `~ decision of test "${test}": ${saidLine(before)} → ${saidLine(after)}`
}

function saidLine(said: Said | null): string {
  if (said === null) return 'none'
  return [said.verdict, said.reason_code, ...said.rule_ids].join(' ')
}
