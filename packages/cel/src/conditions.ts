import type { Conditions } from '@helm-ai-kernel/core'
import { roots } from './facts.ts'
import { createMachine } from './machine.ts'

/**
 * CEL as the condition language of a kernel: `createKernel({ conditions: celConditions(), … })`. What
 * cannot be bounded does not compile. A condition is true, false, or undefined for an error (a missing
 * member, two types compared, a bound reached, a result that is no boolean), and never throws.
 */
export function celConditions(): Conditions {
  const machine = createMachine()
  return Object.freeze({
    compile(expression) {
      const program = machine.compile(expression, roots)
      return (facts) => {
        const result = program(facts)
        return typeof result === 'boolean' ? result : undefined
      }
    },
  } satisfies Conditions)
}
