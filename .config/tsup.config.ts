import { defineConfig, type Options } from 'tsup'

// Declarations come from `tsc -b`, which checks the whole workspace in the same pass.
const base: Options = {
  format: 'esm',
  target: 'es2023',
  platform: 'neutral',
  sourcemap: true,
  clean: true,
  silent: true,
  splitting: true,
}

function pack(
  folder: string,
  entries: readonly string[] = ['index.ts'],
  more: Options = {},
): Options {
  return {
    ...base,
    entry: Object.fromEntries(
      entries.map((entry) => [entry.replace(/\.ts$/, ''), `${folder}/src/${entry}`]),
    ),
    outDir: `${folder}/dist`,
    // What is imported by name is a dependency: never bundled, so each exists once.
    external: [/^[^./]/],
    ...more,
  }
}

export default defineConfig([
  pack('packages/core', [
    'index.ts',
    'bundle/index.ts',
    'policy/index.ts',
    'receipt/index.ts',
    'log/index.ts',
    'reconcile/index.ts',
    'evidence/index.ts',
  ]),
  pack('packages/cel'),
  pack('packages/ledger'),
  pack('packages/sqlite'),
  pack('packages/postgres', ['index.ts', 'database-url.ts']),
  pack('packages/http'),
  pack('packages/host', ['index.ts'], { platform: 'node' }),
  pack('packages/cli', ['index.ts'], { platform: 'node' }),
  pack('adapters/kubernetes', ['index.ts'], { platform: 'node' }),
  pack('adapters/node', ['index.ts', 'main.ts'], { platform: 'node' }),
])
