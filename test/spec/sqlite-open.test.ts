import { execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import process from 'node:process'
import { buildSync } from 'esbuild'
import { describe, expect, it } from 'vitest'
import { openSqlite } from '@helm-ai-kernel/sqlite'

const folder = resolve(import.meta.dirname, '../../packages/sqlite')

describe('SQLite', () => {
  it('starts once, and each database is one of its own', async () => {
    const [first, second] = [await openSqlite(), await openSqlite()]
    first.database().run('CREATE TABLE t (x)')
    expect(() => second.database().run('CREATE TABLE t (x)')).not.toThrow()
  })

  /** What a program prints. The first call of a process decides, so each has one of its own. */
  function printed(program: string): string {
    const contents = `
      import { readFileSync } from 'node:fs'
      import { createRequire } from 'node:module'
      import { openSqlite } from './src/index.ts'
      const read = () => readFileSync(createRequire(import.meta.url).resolve('sql.js/dist/sql-wasm.wasm'))
      const answer = (sqlite) => {
        const rows = sqlite.database().prepare('SELECT 41 + 1')
        rows.step()
        return rows.get()[0]
      }
      ${program}`
    const { outputFiles } = buildSync({
      stdin: { contents, resolveDir: folder },
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'neutral',
      conditions: ['@helm/source'],
      external: ['node:*', 'sql.js'],
    })
    const args = ['--input-type=module', '-']
    const input = outputFiles[0]?.text ?? ''
    return execFileSync(process.execPath, args, { cwd: folder, input, encoding: 'utf8' })
  }

  it('starts by itself where files can be read', () => {
    expect(printed('console.log(answer(await openSqlite()))')).toBe('42\n')
  })

  it.each([
    ['the bytes', '(imports) => WebAssembly.instantiate(read(), imports)'],
    [
      'a compiled module',
      'async (imports) => WebAssembly.instantiate(await WebAssembly.compile(read()), imports)',
    ],
  ])('starts from an instance that the host makes of %s', (_, instantiate) => {
    const program = `console.log(answer(await openSqlite({ instantiate: ${instantiate} })))`
    expect(printed(program)).toBe('42\n')
  })

  it('says so when the host makes no instance', () => {
    const program = `
      const instantiate = async () => { throw new Error('no wasm here') }
      await openSqlite({ instantiate }).catch((error) => console.log(error.code, error.message))`
    expect(printed(program)).toMatch(/^INTERNAL .*no wasm here.*instantiate\n$/)
  })
})
