import type { Facts } from '../policy/facts.ts'

/** What a condition language says of one request; `undefined` is an error (design 3.1: three values). */
export type ConditionResult = boolean | undefined

/** A condition language for `{"cel": "…"}`. The core has none of its own. */
export interface Conditions {
  /** Compiles once, at install; throws a KernelError `COMPILE_FAILED` that names the place. */
  compile(expression: string): (facts: Facts) => ConditionResult
}
