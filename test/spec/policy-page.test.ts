import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { reasonCodes } from '@helm-ai-kernel/core'
import { remedyOf } from '@helm-ai-kernel/core/reconcile'
import { format, resolveConfig } from 'prettier'
import { expect, it } from 'vitest'
import { outcomeOf } from '../../packages/core/src/reconcile/outcome.ts'

const root = resolve(import.meta.dirname, '../..')
const page = readFileSync(join(root, 'docs/policy.md'), 'utf8')

it('the page on policy has every reason code, with what the code says of it', async () => {
  const rows = reasonCodes.policy.map((code) => {
    const { status, class: kind } = outcomeOf(code)
    return `| \`${code}\` | ${status} | ${kind} | ${remedyOf(code)} |`
  })
  const table = [
    '| reason code | status | class | what to do |',
    '| - | - | - | - |',
    ...rows,
  ].join('\n')
  const config = await resolveConfig(join(root, 'docs/policy.md'))
  const wanted = await format(table, { ...config, parser: 'markdown' })
  expect(/<!-- codes -->\n([^]*)<!-- \/codes -->/.exec(page)?.[1]?.trim()).toBe(wanted.trim())
})
