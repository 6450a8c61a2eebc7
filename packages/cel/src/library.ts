import { celEnv, celError, type CelError, type CelFunc, type CelValue } from '@bufbuild/cel'
import { isCelError, type parse, plan } from '@bufbuild/cel'

// The one importer of the CEL library. It stands in one mode: expressions are planned once, on the
// functions handed in, with no messages, no namespace and no regular expressions of our own.

export { celFunc, celList, celMap, celMethod, CelScalar } from '@bufbuild/cel'
export { isCelList, isCelMap, listType, objectType, parse } from '@bufbuild/cel'
export type { CelFunc, CelList, CelMap, CelValue } from '@bufbuild/cel'
export { create, isMessage } from '@bufbuild/protobuf'
export { isReflectMessage } from '@bufbuild/protobuf/reflect'
export { DurationSchema, TimestampSchema } from '@bufbuild/protobuf/wkt'

/** A node of a parsed expression. */
export type Expr = ReturnType<typeof parse>['expr']

/** The variables of one evaluation, by name. */
export type Bindings = Readonly<Record<string, CelValue>>

/** What every function of the gate throws: nobody reads why, so it is made once. */
export const failure: CelError = celError('refused by the gate')

/** Makes runners of checked expressions; one yields undefined for an error, and may throw. */
export function planner(
  funcs: readonly CelFunc[],
): (expr: Expr) => (bindings: Bindings) => CelValue | undefined {
  const env = celEnv({ funcs: [...funcs] })
  return (expr) => {
    const run = plan(env, expr)
    return (bindings) => {
      const result = withoutStacks(() => run(bindings))
      return isCelError(result) ? undefined : result
    }
  }
}

/**
 * The library makes an Error for each error that `&&` or `||` absorbs, in a loop thousands, and their
 * stacks, which nobody reads, would be most of the work. Where the runtime has such a knob (V8,
 * JavaScriptCore), none are taken meanwhile: `run` is synchronous.
 */
function withoutStacks<Result>(run: () => Result): Result {
  const knob = Error as { stackTraceLimit?: unknown }
  const before = knob.stackTraceLimit
  if (typeof before !== 'number' || !Reflect.set(knob, 'stackTraceLimit', 0)) return run()
  try {
    return run()
  } finally {
    knob.stackTraceLimit = before
  }
}
