import { celFunc, type CelFunc, CelScalar, failure } from '../library.ts'

const { DOUBLE, INT, STRING } = CelScalar

/**
 * Numbers of JSON are doubles and mix with int literals; what JSON cannot hold (infinities, NaN) is no
 * result, or `0.0 / 0.0 > 1.0` would be false where nothing is known. `%` is of ints alone, as in CEL.
 */
export const numberFunctions: readonly CelFunc[] = [
  ...arithmetic('_+_', (a, b) => a + b),
  ...arithmetic('_-_', (a, b) => a - b),
  ...arithmetic('_*_', (a, b) => a * b),
  ...arithmetic('_/_', (a, b) => a / b),
  // The library takes '' for 0 and reads hexadecimal; what is no decimal number must not pass as one.
  celFunc('int', [STRING], INT, (text) => {
    if (!/^[+-]?\d+$/.test(text)) throw failure
    const value = BigInt(text.replace('+', ''))
    if (BigInt.asIntN(64, value) !== value) throw failure
    return value
  }),
  celFunc('double', [STRING], DOUBLE, (text) => {
    if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) throw failure
    return finite(Number(text))
  }),
]

function arithmetic(name: string, apply: (a: number, b: number) => number): readonly CelFunc[] {
  return [
    celFunc(name, [DOUBLE, DOUBLE], DOUBLE, (a, b) => finite(apply(a, b))),
    celFunc(name, [DOUBLE, INT], DOUBLE, (a, b) => finite(apply(a, double(b)))),
    celFunc(name, [INT, DOUBLE], DOUBLE, (a, b) => finite(apply(double(a), b))),
  ]
}

function finite(value: number): number {
  if (!Number.isFinite(value)) throw failure
  return value
}

function double(value: bigint): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw failure
  return number
}
