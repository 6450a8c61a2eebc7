import { type Meter, stepsOf } from '../fuel.ts'
import { celFunc, type CelFunc, celMethod, CelScalar, failure } from '../library.ts'
import { limits } from '../limits.ts'

const { BOOL, INT, STRING } = CelScalar

/** Functions over texts, each paid for by length. */
export function textFunctions(meter: Meter): readonly CelFunc[] {
  const size = (text: string): bigint => {
    meter.spend(stepsOf(text.length))
    return codePoints(text)
  }
  const order = (name: string, holds: (a: string, b: string) => boolean): CelFunc =>
    celFunc(name, [STRING, STRING], BOOL, (a, b) => {
      meter.spend(stepsOf(Math.min(a.length, b.length)))
      return holds(a, b)
    })
  return [
    celFunc('size', [STRING], INT, size),
    celMethod('size', STRING, [], INT, function () {
      return size(this)
    }),
    celMethod('contains', STRING, [STRING], BOOL, function (part) {
      // A search may compare every unit with every other.
      meter.spend(stepsOf(this.length) * (1 + (part.length >>> 4)))
      return this.includes(part)
    }),
    celMethod('startsWith', STRING, [STRING], BOOL, function (part) {
      meter.spend(stepsOf(part.length))
      return this.startsWith(part)
    }),
    celMethod('endsWith', STRING, [STRING], BOOL, function (part) {
      meter.spend(stepsOf(part.length))
      return this.endsWith(part)
    }),
    celFunc('_+_', [STRING, STRING], STRING, (a, b) => {
      const length = a.length + b.length
      if (length > limits.text) throw failure
      meter.spend(stepsOf(length))
      return a + b
    }),
    order('_<_', (a, b) => a < b),
    order('_<=_', (a, b) => a <= b),
    order('_>_', (a, b) => a > b),
    order('_>=_', (a, b) => a >= b),
  ]
}

function codePoints(text: string): bigint {
  let count = text.length
  for (let i = 1; i < text.length; i++) {
    // Texts are well formed, so each of these ends a pair.
    if ((text.charCodeAt(i) & 0xfc00) === 0xdc00) count--
  }
  return BigInt(count)
}
