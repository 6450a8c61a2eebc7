import { check } from './check.ts'
import { createMeter, type Meter } from './fuel.ts'
import { equalityFunctions } from './functions/equality.ts'
import { listFunctions } from './functions/list.ts'
import { memberFunctions } from './functions/member.ts'
import { numberFunctions } from './functions/number.ts'
import { textFunctions } from './functions/text.ts'
import { timeFunctions } from './functions/time.ts'
import { type CelValue, planner } from './library.ts'

/** The variables there are, and how each is read. */
export type Variables<Input> = Readonly<Record<string, (input: Input) => CelValue>>

/** A compiled expression: a value of CEL, or undefined for an error. Never throws. */
export type Program<Input> = (input: Input) => CelValue | undefined

export interface Machine {
  /** Throws `COMPILE_FAILED` with the place. */
  compile<Input>(source: string, variables: Variables<Input>): Program<Input>
  /** Of the evaluation that runs or ran last: evaluation is synchronous and calls nobody outside. */
  readonly meter: Meter
}

/** The library behind the gate. */
export function createMachine(): Machine {
  const meter = createMeter()
  const plan = planner([
    ...equalityFunctions(meter),
    ...listFunctions(meter),
    ...memberFunctions,
    ...numberFunctions,
    ...textFunctions(meter),
    ...timeFunctions(meter),
  ])
  return {
    meter,
    compile(source, variables) {
      const { expr, uses } = check(source, Object.keys(variables))
      const run = plan(expr)
      const used = Object.entries(variables).filter(([name]) => uses.has(name))
      return (input) => {
        meter.refill()
        try {
          const bindings = Object.create(null) as Record<string, CelValue>
          for (const [name, read] of used) bindings[name] = read(input)
          const result = run(bindings)
          // INVARIANT: an evaluation that ran out of fuel is an error, whatever absorbed it.
          return meter.left < 0 ? undefined : result
        } catch {
          return undefined
        }
      }
    },
  }
}
