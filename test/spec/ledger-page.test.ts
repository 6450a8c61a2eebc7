import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { reasonCodes } from '@helm-ai-kernel/core'
import { expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const page = readFileSync(join(root, 'docs/ledger.md'), 'utf8')

it('the page on the ledger has every reason code of the ledger, and what to do', () => {
  const [, section = ''] = page.split('## When it fails\n')
  const rows = section.split('\n').filter((line) => line.startsWith('| `'))
  const told = rows.flatMap((row) => row.split('|')[1]?.match(/[A-Z_]+/g) ?? [])
  const codes = Object.values(reasonCodes).flat()
  const own = codes.filter((code) => /^LEDGER_|^KEY_CHANGED$/.test(code))
  expect(own.length).toBeGreaterThan(6)
  expect(told).toEqual(expect.arrayContaining(own))
  // Of warnings and of what stops a start there is no list in the code.
  const others = ['LEDGER_LOCKED', 'LEDGER_NEW', 'LEDGER_WARNING', 'DISK_LOW']
  expect(told.filter((code) => !others.includes(code)).sort()).toEqual([...own].sort())
  expect(
    rows.every((row) => row.split('|').every((cell, i) => i % 5 === 0 || /\w/.test(cell))),
  ).toBe(true)
})
