import { isKernelError } from '@helm-ai-kernel/core'
import { type Check, verdictOf } from '@helm-ai-kernel/core/receipt'
import type { Given } from './command.ts'
import { remedyFor } from './fault.ts'
import type { Io } from './io.ts'
import { answer, table } from './print.ts'

/** A check, and the code of what refused it. */
export interface CodedCheck extends Check {
  readonly code?: string
}

/**
 * Makes a check of each step: the generator does one and yields what it found. A KernelError fails its
 * step, and those after it are not reached.
 */
export function checkSteps(
  names: readonly string[],
  steps: Generator<string, void>,
): readonly CodedCheck[] {
  const checks: CodedCheck[] = []
  for (const name of names) {
    try {
      const step = steps.next()
      checks.push(
        step.done === true
          ? { name, status: 'not_applicable', detail: 'not reached' }
          : { name, status: 'pass', detail: step.value },
      )
    } catch (error) {
      if (!isKernelError(error)) throw error
      checks.push({ name, status: 'fail', code: error.code, detail: error.message })
    }
  }
  return checks
}

/** Answers with three-state checks and their verdict: exit code 0 when none failed, else 1. */
export function answerChecks(
  io: Io,
  given: Given,
  checks: readonly CodedCheck[],
  more: object = {},
  notes: readonly string[] = [],
): number {
  const verdict = verdictOf(checks)
  const rows = checks.map(({ name, status, code, detail }) => [
    status === 'not_applicable' ? '-' : status,
    name,
    code === undefined ? detail : `${code}: ${detail}`,
  ])
  const fixes = checks.map(({ code }) => remedyFor(code ?? '')).filter((fix) => fix !== undefined)
  const lines = [...table(rows), '', verdict, ...fixes.map((fix) => `fix: ${fix}`), ...notes]
  return answer(io, given, { verdict, checks, ...more }, lines, verdict === 'PASS' ? 0 : 1)
}
