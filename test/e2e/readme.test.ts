import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { buildSync } from 'esbuild'
import { afterAll, describe, expect, it } from 'vitest'
import { configurationMarkdown } from '@helm-ai-kernel/host'

// The README is a test: what it shows is what runs here.

const root = resolve(import.meta.dirname, '../..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const folder = mkdtempSync(join(tmpdir(), 'helm-readme-'))
const bin = join(root, 'adapters/node/bin/helm-ai-kernel.js')

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function blocks(language: string): readonly string[] {
  const found = readme.matchAll(new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``, 'g'))
  return [...found].map(([, code = '']) => code)
}

/** Runs a line as it stands in the README, with the command taken from this checkout. */
function run(line: string): string {
  const command = line.replace('npx helm-ai-kernel', `"${process.execPath}" "${bin}"`)
  return execFileSync('sh', ['-c', command], { cwd: folder, encoding: 'utf8' })
}

describe('the README', () => {
  it('shows code that decides, records and refuses', () => {
    const [example = ''] = blocks('ts')
    const bundle = join(folder, 'example.mjs')
    buildSync({
      stdin: { contents: example, loader: 'ts', resolveDir: import.meta.dirname },
      bundle: true,
      platform: 'node',
      format: 'esm',
      conditions: ['@helm/source'],
      outfile: bundle,
    })
    const output = execFileSync(process.execPath, [bundle], { encoding: 'utf8' })
    expect(output).toMatch(/^ALLOW rcpt-[0-9a-f]{64}$/m)
    expect(output).toMatch(/^DENY NO_MATCHING_RULE: /m)
  })

  it('shows a policy, and commands that make, test, explain, build and sign it', () => {
    const [policy = ''] = blocks('yaml')
    writeFileSync(join(folder, 'policy.yaml'), policy)
    const commands = blocks('sh').find((block) => block.includes('keygen --out')) ?? ''
    const output = commands.trim().split('\n').map(run).join('\n')
    expect(output).toContain('a refund of 5000 needs a person')
    expect(output).toContain('ESCALATE')
    const bundle = readFileSync(join(folder, 'policy/policy.bundle'), 'utf8')
    expect(bundle.startsWith('{"')).toBe(true)
    expect(readFileSync(join(folder, 'policy/policy.bundle.sig'), 'utf8')).toMatch(
      /^[0-9a-f]{128}\n$/,
    )
  })

  it('has the table of settings that the code has', () => {
    const shown = readme
      .split('<!-- prettier-ignore-start -->')[1]
      ?.split('<!-- prettier-ignore-end -->')[0]
    expect(shown?.trim()).toBe(configurationMarkdown().trim())
  })

  it('names both one-line commands, and the scripts behind them are there', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
    }
    expect(readme).toContain('npm ci && npm start')
    expect(readme).toContain('npm ci && npm test')
    expect(scripts).toHaveProperty('start')
    expect(scripts).toHaveProperty('test')
  })
})
