import type { Meter } from '../fuel.ts'
import {
  celFunc,
  type CelFunc,
  celMethod,
  CelScalar,
  type CelValue,
  create,
  DurationSchema,
  failure,
  isMessage,
  isReflectMessage,
  objectType,
  TimestampSchema,
} from '../library.ts'
import { utc, type Zone, zoneOf } from '../zone.ts'

const { INT, STRING } = CelScalar
const TIMESTAMP = objectType(TimestampSchema)
const DURATION = objectType(DurationSchema)

const day = 86_400_000

/** By the wall clock of a zone. Months, days of a month or year, and days of a week count from 0. */
const getters: Readonly<Record<string, (wall: Date) => number>> = {
  getFullYear: (wall) => wall.getUTCFullYear(),
  getMonth: (wall) => wall.getUTCMonth(),
  getDate: (wall) => wall.getUTCDate(),
  getDayOfMonth: (wall) => wall.getUTCDate() - 1,
  getDayOfWeek: (wall) => wall.getUTCDay(),
  getDayOfYear: (wall) => Math.floor((wall.getTime() - new Date(wall).setUTCMonth(0, 1)) / day),
  getHours: (wall) => wall.getUTCHours(),
  getMinutes: (wall) => wall.getUTCMinutes(),
  getSeconds: (wall) => wall.getUTCSeconds(),
  getMilliseconds: (wall) => wall.getUTCMilliseconds(),
}

/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, in seconds. */
const [earliest, latest] = [-62_135_596_800n, 253_402_300_799n]

/** What it takes to ask a named zone for the wall clock. */
const zoneSteps = 50

/**
 * Parts of a moment. The library's own go through the local time of the machine, whose summer time
 * makes hours that never were.
 */
export function timeFunctions(meter: Meter): readonly CelFunc[] {
  const parts = Object.entries(getters).flatMap(([name, part]) => [
    celMethod(name, TIMESTAMP, [], INT, function () {
      return BigInt(part(utc(millisecondsOf(this.message))))
    }),
    celMethod(name, TIMESTAMP, [STRING], INT, function (name) {
      meter.spend(zoneSteps)
      const zone: Zone | undefined = zoneOf(name)
      if (zone === undefined) throw failure
      return BigInt(part(zone(millisecondsOf(this.message))))
    }),
  ])
  return [
    ...parts,
    celFunc('timestamp', [INT], TIMESTAMP, (seconds) => {
      // The library reads milliseconds.
      if (seconds < earliest || seconds > latest) throw failure
      return create(TimestampSchema, { seconds })
    }),
    // Nobody says of what.
    celFunc('duration', [INT], DURATION, () => {
      throw failure
    }),
  ]
}

/** Whether two moments, or two durations, are the same; undefined when they are of two types. */
export function sameMoment(a: CelValue, b: CelValue): boolean | undefined {
  const [x, y] = [momentOf(a), momentOf(b)]
  if (x === undefined || x.$typeName !== y?.$typeName) return undefined
  return x.seconds === y.seconds && x.nanos === y.nanos
}

interface Moment {
  readonly $typeName: string
  readonly seconds: bigint
  readonly nanos: number
}

function momentOf(value: CelValue): Moment | undefined {
  const message = isReflectMessage(value) ? value.message : undefined
  return isMessage(message, TimestampSchema) || isMessage(message, DurationSchema)
    ? message
    : undefined
}

function millisecondsOf({ seconds, nanos }: Moment): number {
  return Number(seconds) * 1000 + Math.floor(nanos / 1_000_000)
}
