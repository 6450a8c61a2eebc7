import { readFileSync } from 'node:fs'
import type { SimpleTest } from '@bufbuild/cel-spec/cel/expr/conformance/test/simple_pb.js'
import type { Value } from '@bufbuild/cel-spec/cel/expr/value_pb.js'
import { getTestRegistry } from '@bufbuild/cel-spec/testdata/registry.js'
import {
  getConformanceSuite,
  type IncrementalTestSuite,
} from '@bufbuild/cel-spec/testdata/tests.js'
import { isMessage } from '@bufbuild/protobuf'
import { anyUnpack, DurationSchema, TimestampSchema } from '@bufbuild/protobuf/wkt'
import { isKernelError } from '@helm-ai-kernel/core'
import { describe, expect, it } from 'vitest'
import {
  celList,
  celMap,
  type CelValue,
  isCelList,
  isCelMap,
  isReflectMessage,
} from '../../packages/cel/src/library.ts'
import { createMachine, type Program } from '../../packages/cel/src/machine.ts'

/**
 * What became of a case of the CEL specification: `right` is its value or its error; `error` is an error
 * where CEL has a value, never the other way round; `refused` did not compile; `unstated` cases bind what
 * JSON cannot say, resolve names in a namespace, or only check types.
 */
type How = 'right' | 'error' | 'refused' | 'unstated'

interface Outcome {
  readonly how: How | 'wrong'
  readonly says: string
}

interface Group {
  readonly how: How
  readonly reason: string
  /** What the refusal says, as a regular expression. */
  readonly says?: string
  /** Names; one that ends in `*` stands for all that begin so. */
  readonly cases: readonly string[]
}

interface Unsupported {
  readonly groups: readonly Group[]
  /** The cases that are refused for `dyn` alone, written without it. */
  readonly withoutDyn: readonly Group[]
}

const unsupported = JSON.parse(
  readFileSync(new URL('cel-unsupported.json', import.meta.url), 'utf8'),
) as Unsupported

const cases = casesOf(getConformanceSuite())
const registry = getTestRegistry()
const machine = createMachine()

function casesOf(
  suite: IncrementalTestSuite,
  path = '',
): readonly (readonly [string, SimpleTest])[] {
  return [
    ...suite.tests.map(({ name, original }) => [path + name, original] as const),
    ...suite.suites.flatMap((inner) => casesOf(inner, `${path}${inner.name}/`)),
  ]
}

/** Undefined for what JSON cannot say; ints are bound as ints all the same. */
function bind(value: Value | undefined): CelValue | undefined {
  const kind = value?.kind
  if (kind?.case === 'nullValue') return null
  if (kind?.case === 'listValue') {
    const items = kind.value.values.map(bind)
    return items.every((item) => item !== undefined) ? celList(items) : undefined
  }
  if (kind?.case === 'mapValue') {
    const members = new Map<string, CelValue>()
    for (const { key, value } of kind.value.entries) {
      const [name, member] = [bind(key), bind(value)]
      if (typeof name !== 'string' || member === undefined) return undefined
      members.set(name, member)
    }
    return celMap(members)
  }
  return scalarOf(value)
}

function scalarOf(value: Value | undefined): boolean | bigint | number | string | undefined {
  const kind = value?.kind
  const scalar =
    kind?.case === 'boolValue' ||
    kind?.case === 'int64Value' ||
    kind?.case === 'doubleValue' ||
    kind?.case === 'stringValue'
  return scalar ? kind.value : undefined
}

function same(actual: CelValue | undefined, expected: Value | undefined): boolean {
  const kind = expected?.kind
  if (kind?.case === 'nullValue') return actual === null
  if (kind?.case === 'listValue') {
    const { values } = kind.value
    if (!isCelList(actual) || actual.size !== values.length) return false
    return values.every((value, i) => same(actual.get(i), value))
  }
  if (kind?.case === 'mapValue') {
    const { entries } = kind.value
    if (!isCelMap(actual) || actual.size !== entries.length) return false
    return entries.every(({ key, value }) => {
      const name = scalarOf(key)
      return typeof name === 'string' && same(actual.get(name), value)
    })
  }
  if (kind?.case === 'objectValue') {
    const [a, b] = [isReflectMessage(actual) && actual.message, anyUnpack(kind.value, registry)]
    return [TimestampSchema, DurationSchema].some((schema) => {
      if (!isMessage(a, schema) || !isMessage(b, schema)) return false
      return a.seconds === b.seconds && a.nanos === b.nanos
    })
  }
  const scalar = scalarOf(expected)
  return scalar !== undefined && Object.is(actual, scalar)
}

function run(name: string, test: SimpleTest, expression = test.expr): Outcome {
  const names = Object.keys(test.bindings)
  const namespaced =
    names.some((name) => name.includes('.')) || name.startsWith('namespace/namespace')
  if (namespaced || test.checkOnly || test.disableMacros) return { how: 'unstated', says: '' }
  const variables = Object.entries(test.bindings).map(([name, { kind }]) => {
    return [name, kind.case === 'value' ? bind(kind.value) : undefined] as const
  })
  let program: Program<undefined>
  try {
    const readers = variables.map(([name, value]) => [name, () => value ?? null] as const)
    program = machine.compile(expression, Object.fromEntries(readers))
  } catch (error) {
    if (!isKernelError(error, 'COMPILE_FAILED')) throw error
    return { how: 'refused', says: error.message }
  }
  if (variables.some(([, value]) => value === undefined)) return { how: 'unstated', says: '' }
  const actual = program(undefined)
  const { resultMatcher: matcher } = test
  if (matcher.case === 'evalError' || matcher.case === 'anyEvalErrors') {
    return { how: actual === undefined ? 'right' : 'wrong', says: '' }
  }
  if (actual === undefined) return { how: 'error', says: '' }
  const expected =
    matcher.case === 'value'
      ? matcher.value
      : matcher.case === 'typedResult'
        ? matcher.value.result
        : undefined
  const right = matcher.case === undefined ? actual === true : same(actual, expected)
  return { how: right ? 'right' : 'wrong', says: '' }
}

function groupOf(groups: readonly Group[], name: string): Group | undefined {
  const found = groups.filter(({ cases }) => cases.some((pattern) => matches(pattern, name)))
  if (found.length > 1) throw new Error(`${name} stands in ${found.length} groups`)
  return found[0]
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern
}

/** What is not as the groups say: nothing, one hopes. */
function surprises(
  groups: readonly Group[],
  outcomes: readonly (readonly [name: string, outcome: Outcome])[],
): readonly string[] {
  return outcomes.flatMap(([name, { how, says }]) => {
    const { how: listed = 'right', says: pattern = '' } = groupOf(groups, name) ?? {}
    const expected = how === listed && new RegExp(pattern).test(says)
    return expected ? [] : [`${name}: ${how}, listed as ${listed}; ${says}`]
  })
}

function countOf(outcomes: readonly (readonly [string, Outcome])[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const [, { how }] of outcomes) counts[how] = (counts[how] ?? 0) + 1
  return counts
}

describe('the cases of the CEL specification, through the gate', () => {
  const outcomes = cases.map(([name, test]) => [name, run(name, test)] as const)

  it('are right, or what the list says they are', () => {
    expect(surprises(unsupported.groups, outcomes)).toEqual([])
    expect(countOf(outcomes)).toEqual({ right: 617, error: 11, refused: 1648, unstated: 68 })
  })

  it('are right without dyn, which the gate has not, or what the list says they are', () => {
    const rewritten = cases
      .filter(([name]) => groupOf(unsupported.groups, name)?.says?.includes('dyn'))
      .map(([name, test]) => {
        return [name, run(name, test, test.expr.replaceAll(/\bdyn\(/g, '('))] as const
      })
    expect(surprises(unsupported.withoutDyn, rewritten)).toEqual([])
    expect(countOf(rewritten)).toEqual({ right: 67, error: 10, refused: 104 })
  })

  it('are each named by the list: no line stands for nothing', () => {
    const lines = [...unsupported.groups, ...unsupported.withoutDyn].flatMap(({ cases }) => cases)
    const idle = lines.filter((line) => !cases.some(([name]) => matches(line, name)))
    expect(idle).toEqual([])
  })
})
