import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { version } from '@helm-ai-kernel/core'
import { publint } from 'publint'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const packages = [
  ...['core', 'cel', 'ledger', 'sqlite', 'postgres', 'http', 'host', 'cli'].map(
    (name) => `packages/${name}`,
  ),
  'adapters/kubernetes',
  'adapters/node',
]

interface Manifest {
  readonly name: string
  readonly version: string
  readonly license: string
  readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly scripts?: Readonly<Record<string, string>>
}

function manifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as Manifest
}

describe('every package', () => {
  it.each(packages)(
    '%s has the version of the kernel, pins exactly and runs no install script',
    (folder) => {
      const { dependencies, license, scripts, version: own } = manifest(folder)
      expect(own).toBe(version)
      expect(license).toBe('Apache-2.0')
      expect(scripts).toBeUndefined()
      for (const [name, range] of Object.entries(dependencies)) {
        expect(range, name).toMatch(/^\d+\.\d+\.\d+$/)
        if (name.startsWith('@helm-ai-kernel/')) expect(range).toBe(version)
      }
    },
  )

  it.each(packages)('%s exports files that the build makes, types included', (folder) => {
    for (const [path, conditions] of Object.entries(manifest(folder).exports)) {
      for (const [condition, file] of Object.entries(conditions)) {
        expect(existsSync(join(root, folder, file)), `${path} ${condition}`).toBe(true)
      }
    }
  })

  it.each(packages)('%s is published as its manifest says', async (folder) => {
    const { messages } = await publint({ pkgDir: join(root, folder), level: 'error', pack: false })
    expect(messages).toEqual([])
  })
})

describe('the repository', () => {
  const files = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' })
    .trim()
    .split('\n')

  it('has only the entries of the house at its top level', () => {
    const house = [
      ...['LICENSE', 'Makefile', 'README.md', 'adapters', 'bench', 'deploy', 'docs'],
      ...['package-lock.json', 'package.json', 'packages', 'test', 'tsconfig.json'],
    ]
    const entries = new Set(files.map((file) => file.split('/')[0] ?? ''))
    const visible = [...entries].filter((entry) => !entry.startsWith('.'))
    expect(visible.filter((entry) => !house.includes(entry))).toEqual([])
  })

  it('names no download address in its lock file', () => {
    expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).not.toMatch(/"resolved": "http/)
  })

  it('holds source files to one idea: over 220 lines needs a reason here', () => {
    const reasons: Readonly<Record<string, string>> = {
      'packages/host/src/configuration/table.ts': 'one table: a row for each of 60 settings',
    }
    const long = files
      .filter((file) => /^(packages|adapters)\/.*\.ts$/.test(file) && existsSync(join(root, file)))
      .filter((file) => readFileSync(join(root, file), 'utf8').split('\n').length > 221)
      .filter((file) => reasons[file] === undefined)
    expect(long).toEqual([])
  })
})
