/** The wall clock of a zone: a Date whose UTC fields show it. */
export type Zone = (ms: number) => Date

export const utc: Zone = (ms) => new Date(ms)

const zones = new Map<string, Zone>()

/**
 * The zone of that name: `UTC`, an offset as `-05:30`, or one that the runtime knows, as
 * `Europe/Paris`. Undefined when there is none. The zone of the machine is never asked.
 */
export function zoneOf(name: string): Zone | undefined {
  const known = zones.get(name)
  if (known !== undefined) return known
  const zone = name === 'UTC' ? utc : (offset(name) ?? named(name))
  // INVARIANT: names are literals of policies, so there are few.
  if (zone !== undefined) zones.set(name, zone)
  return zone
}

function offset(name: string): Zone | undefined {
  const [, sign, hours, minutes] = /^([+-]?)(\d\d):(\d\d)$/.exec(name) ?? []
  const [h, m] = [Number(hours), Number(minutes)]
  if (!(h < 24 && m < 60)) return undefined
  const ahead = (h * 60 + m) * (sign === '-' ? -60_000 : 60_000)
  return (ms) => new Date(ms + ahead)
}

function named(timeZone: string): Zone | undefined {
  if (!/^[A-Za-z][\w+\-/]*$/.test(timeZone)) return undefined
  let format: Intl.DateTimeFormat
  try {
    format = new Intl.DateTimeFormat('en-US', {
      ...{ timeZone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric' },
      ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' },
    })
  } catch {
    return undefined
  }
  return (ms) => {
    const parts = format.formatToParts(ms)
    const part = (name: string) => Number(parts.find(({ type }) => type === name)?.value)
    const wall = new Date(0)
    wall.setUTCFullYear(part('year'), part('month') - 1, part('day'))
    wall.setUTCHours(part('hour'), part('minute'), part('second'), ((ms % 1000) + 1000) % 1000)
    return wall
  }
}
