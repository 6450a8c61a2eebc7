import { groups, type Row } from './setting.ts'
import { settings } from './table.ts'

type PrintedRow = Row & { readonly default?: string }

/** The lines of the table as `--help` prints it. */
export function configurationHelp(): readonly string[] {
  return groups.flatMap((group) => [
    '',
    `${group}:`,
    ...rowsOf(group).flatMap((row) => {
      const flag = row.flag === undefined ? '' : `, ${row.flag}`
      const standard = row.default === undefined ? '' : ` (${row.default})`
      return [`  ${row.name}${flag}${standard}: ${row.kind.expected}`, `      ${aboutOf(row)}`]
    }),
  ])
}

/** The table in Markdown, for the README. */
export function configurationMarkdown(): string {
  const rows = groups.flatMap((group) =>
    rowsOf(group).map((row) => {
      const name = row.flag === undefined ? `\`${row.name}\`` : `\`${row.name}\` \`${row.flag}\``
      const standard = row.default === undefined ? '' : `\`${row.default}\``
      return `| ${name} | ${row.kind.expected} | ${standard} | ${aboutOf(row)} |`
    }),
  )
  return ['| Name | Value | Default | What it does |', '|---|---|---|---|', ...rows].join('\n')
}

function rowsOf(group: string): readonly PrintedRow[] {
  return Object.values<PrintedRow>(settings).filter((row) => row.group === group)
}

function aboutOf({ about, secret, ignored }: PrintedRow): string {
  const notes = [
    ...(secret === true ? ['secret'] : []),
    ...(ignored === undefined ? [] : ['not in this build yet']),
  ]
  return notes.length === 0 ? about : `${about} (${notes.join('; ')})`
}
