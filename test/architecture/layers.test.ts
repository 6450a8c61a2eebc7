import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')

interface Import {
  readonly file: string
  readonly from: string
  /** Whether anything is left of it when types are erased. */
  readonly value: boolean
}

const importsOf = (folder: string): readonly Import[] =>
  sourcesIn(folder).flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8')
    const found = text.matchAll(/^(?:import|export)\s+(type\s+)?([^'"]*?)\s*from\s*'([^']+)'/gm)
    return [...found].map(([, type, names = '', from = '']) => {
      const inner = /^\{([^}]*)\}$/s.exec(names)?.[1]
      const onlyTypes = inner?.split(',').every((name) => /^\s*(type\s.*)?$/s.test(name)) ?? false
      return { file, from, value: type === undefined && !onlyTypes }
    })
  })

function sourcesIn(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))
}

/** A file's layer: its folder in the core, or its own name at the top. */
function layerOf(file: string): string {
  const [first = '', ...rest] = relative('packages/core/src', file).split('/')
  return rest.length === 0 ? first.replace('.ts', '') : first
}

describe('packages', () => {
  const allowed: Readonly<Record<string, readonly string[]>> = {
    'packages/core': ['@noble/ed25519', '@noble/hashes', 'canonicalize', 'valibot'],
    'packages/cel': ['@helm-ai-kernel/core', '@bufbuild/cel', '@bufbuild/protobuf'],
    'packages/ledger': ['@helm-ai-kernel/core'],
    'packages/sqlite': ['@helm-ai-kernel/core', 'sql.js'],
    'packages/postgres': ['@helm-ai-kernel/core', 'postgres'],
    'packages/http': ['@helm-ai-kernel/core', 'hono'],
    'packages/host': [
      '@helm-ai-kernel/cel',
      '@helm-ai-kernel/core',
      '@helm-ai-kernel/http',
      '@helm-ai-kernel/ledger',
      '@helm-ai-kernel/postgres',
      '@helm-ai-kernel/sqlite',
      'prom-client',
      'yaml',
      'node:',
    ],
    'packages/cli': [
      '@helm-ai-kernel/cel',
      '@helm-ai-kernel/core',
      '@helm-ai-kernel/host',
      '@helm-ai-kernel/ledger',
      'node:',
    ],
    'adapters/kubernetes': ['@helm-ai-kernel/core', '@helm-ai-kernel/host', 'node:'],
    'adapters/node': [
      '@helm-ai-kernel/cli',
      '@helm-ai-kernel/core',
      '@helm-ai-kernel/host',
      '@helm-ai-kernel/kubernetes',
      '@hono/node-server',
      'hono',
      'node:',
    ],
  }

  it.each(Object.entries(allowed))(
    '%s imports what it may, and nothing outward',
    (folder, names) => {
      const foreign = importsOf(`${folder}/src`)
        .filter(({ from }) => !from.startsWith('.'))
        .filter(
          ({ from }) =>
            !names.some((name) => from === name || from.startsWith(name.replace(/([^:])$/, '$1/'))),
        )
      expect(foreign).toEqual([])
    },
  )

  it.each(Object.keys(allowed))('%s stays inside its own folder', (folder) => {
    const outside = importsOf(`${folder}/src`)
      .filter(({ from }) => from.startsWith('.'))
      .filter(({ file, from }) => !join(dirname(file), from).startsWith(`${folder}/src`))
    expect(outside).toEqual([])
  })
})

describe('the core', () => {
  const imports = importsOf('packages/core/src')

  // What is left when types are erased; ports are types alone and stand beside the layers.
  const below: Readonly<Record<string, readonly string[]>> = {
    error: [],
    reason: [],
    schema: ['error'],
    bytes: ['error'],
    crypto: ['error', 'bytes'],
    trust: ['error', 'bytes', 'crypto', 'schema'],
    bundle: ['error', 'reason', 'bytes', 'crypto', 'schema', 'trust'],
    policy: ['error', 'reason', 'bytes', 'crypto', 'schema', 'trust', 'bundle'],
    log: ['error', 'bytes', 'crypto'],
    receipt: ['error', 'bytes', 'crypto', 'trust', 'log'],
    evidence: ['error', 'bytes', 'crypto', 'trust', 'bundle', 'log', 'receipt'],
    ports: [],
    kernel: [
      ...['error', 'reason', 'bytes', 'crypto', 'schema', 'trust', 'bundle', 'policy'],
      ...['log', 'receipt'],
    ],
    reconcile: ['error', 'bytes', 'crypto', 'trust', 'bundle', 'policy', 'receipt', 'kernel'],
  }

  it('has a place in the order for every folder and file', () => {
    const layers = new Set(sourcesIn('packages/core/src').map(layerOf))
    layers.delete('index')
    expect([...layers].sort()).toEqual(Object.keys(below).sort())
  })

  it.each(Object.entries(below))('%s imports only what is below it', (layer, lower) => {
    const wrong = imports
      .filter(({ file, from, value }) => value && from.startsWith('.') && layerOf(file) === layer)
      .filter(({ file, from }) => {
        const target = layerOf(join(dirname(file), from))
        return target !== layer && !lower.includes(target)
      })
    expect(wrong).toEqual([])
  })

  it.each([
    ['@noble/ed25519', 1],
    ['@noble/hashes', 1],
    ['canonicalize', 1],
    ['valibot', 1],
  ])('imports %s in one file, which fixes its mode', (name, files) => {
    const importers = imports.filter(({ from }) => from === name || from.startsWith(`${name}/`))
    expect(new Set(importers.map(({ file }) => file)).size).toBe(files)
  })

  it('uses no host type: its compiler contract has neither dom nor node', async () => {
    const contract = JSON.parse(
      readFileSync(join(root, 'packages/core/tsconfig.json'), 'utf8'),
    ) as { compilerOptions: Record<string, unknown> }
    expect(contract.compilerOptions).not.toHaveProperty('lib')
    expect(contract.compilerOptions).not.toHaveProperty('types')
    const base = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as {
      compilerOptions: Record<string, unknown>
    }
    expect(base.compilerOptions).toMatchObject({ lib: ['es2023'], types: [], strict: true })
  })

  it('reads no clock of the host', () => {
    for (const file of sourcesIn('packages/core/src')) {
      const code = readFileSync(join(root, file), 'utf8').replace(/\/\*[^]*?\*\/|\/\/.*$/gm, '')
      expect(code, file).not.toMatch(/Date\.now|new Date\(\)|Math\.random|globalThis/)
    }
  })
})
