import { canonical, type Json } from '@helm-ai-kernel/core'

/** The members of a part of a policy; undefined: it has none of that name. */
export type Members = Readonly<Record<string, Json | undefined>>

/** A member that is another in two policies; null: absent, since no member of a policy is null. */
export interface Change {
  readonly member: string
  readonly before: Json
  readonly after: Json
}

/** What two lists of named parts do not have in common; each sorted by name. */
export interface Differences {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly { readonly name: string; readonly members: readonly Change[] }[]
}

/** The members that differ, sorted by name. */
export function compareMembers(before: Members, after: Members): readonly Change[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
  return names
    .map((member) => ({
      member,
      before: before[member] ?? null,
      after: after[member] ?? null,
    }))
    .filter((change) => canonical(change.before) !== canonical(change.after))
}

/** The parts that only one has, and those that both have and that differ. */
export function compareParts(
  before: ReadonlyMap<string, Members>,
  after: ReadonlyMap<string, Members>,
): Differences {
  return {
    added: [...after.keys()].filter((name) => !before.has(name)).sort(),
    removed: [...before.keys()].filter((name) => !after.has(name)).sort(),
    changed: [...before.keys()]
      .sort()
      .map((name) => {
        const [old, now] = [before.get(name), after.get(name)]
        const members = old === undefined || now === undefined ? [] : compareMembers(old, now)
        return { name, members }
      })
      .filter(({ members }) => members.length > 0),
  }
}

/** A change in one line: of a list what came and went, of anything else the old and the new value. */
export function lineOf({ member, before, after }: Change): string {
  if (isList(before) && isList(after)) {
    const [old, now] = [new Set(before.map(text)), new Set(after.map(text))]
    const came = [...now].filter((item) => !old.has(item)).map((item) => `+${item}`)
    const went = [...old].filter((item) => !now.has(item)).map((item) => `-${item}`)
    const moved = [...came, ...went]
    const more = moved.length > most ? ` and ${moved.length - most} more` : ''
    return `${member} ${moved.slice(0, most).join(' ')}${more}`
  }
  const [old, now] = excerpts(text(before), text(after))
  return `${member} ${old} → ${now}`
}

/** So much of a list or a long text is shown. */
const most = 16
const width = 80
const lead = 20

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}

function text(value: Json): string {
  return value === null ? 'none' : canonical(value)
}

/** Of two long texts the places where they begin to differ. */
function excerpts(a: string, b: string): readonly [string, string] {
  let same = 0
  while (same < Math.min(a.length, b.length) && a[same] === b[same]) same++
  const from = Math.max(a.length, b.length) <= width ? 0 : Math.max(0, same - lead)
  const excerpt = (whole: string): string =>
    (from > 0 ? '…' : '') +
    whole.slice(from, from + width) +
    (whole.length > from + width ? '…' : '')
  return [excerpt(a), excerpt(b)]
}
