import fc from 'fast-check'
import type { Json } from '../../packages/core/src/bytes/json.ts'

/** Characters where encodings, escapes or orders differ. */
const odd = fc.constantFrom(
  '"', '\\', '/', '\b', '\f', '\n', '\r', '\t', '\0', '\x1f', '\x7f', ' ', '!', '#', '[', 'u', 'd8',
  'é', '\u0800', '\u2028', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '😀', '\u{10ffff}',
) // prettier-ignore
const strings = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.string({ unit: odd, maxLength: 6 }),
)
const names = fc.oneof(
  strings,
  fc.constantFrom('__proto__', 'toJSON', 'rules', 'a', 'b', '10', '9'),
)

/** Not those that canonical JSON writes as an integer beyond 2^53 - 1, which nothing reads back. */
const numbers = fc
  .oneof(
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(0, 1e21, 1e-7, 5e-324, Number.MAX_SAFE_INTEGER, 0.1, 1e300, 123456789012345.6),
  )
  .filter((x) => Number.isSafeInteger(x) || !Number.isInteger(x) || Math.abs(x) >= 1e21)
  .map((x) => (x === 0 ? 0 : x))

const { value } = fc.letrec<{ value: Json; list: Json; object: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, true, false),
    numbers,
    strings,
    tie('list'),
    tie('object'),
  ),
  list: fc.array(tie('value'), { maxLength: 5 }),
  object: fc
    .uniqueArray(fc.tuple(names, tie('value')), { maxLength: 6, selector: ([name]) => name })
    .map((members) => Object.fromEntries(members)),
}))

/** Any JSON value, its members in no order. */
export const jsonValues: fc.Arbitrary<Json> = value

/** A document in the shape of a bundle: an object that has rules. */
export const documents: fc.Arbitrary<Json> = fc
  .tuple(value, fc.array(value, { maxLength: 8 }), value)
  .map(([a, rules, z]) => ({ z, rules, a }))
