import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'

// Figure P10: what an app that embeds the kernel has to load. The aim for the whole core is 24 kB, of
// which the four dependencies take 12.5; this is the ceiling that it stands under today.

async function sizeOf(entry: string): Promise<{ readonly bytes: number; readonly text: string }> {
  const { outputFiles } = await build({
    stdin: { contents: `export * from '${entry}'`, resolveDir: import.meta.dirname },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    target: 'es2023',
    mainFields: ['module', 'main'],
    conditions: ['@helm/source', 'import'],
  })
  const text = outputFiles[0]?.text ?? ''
  return { bytes: gzipSync(text, { level: 9 }).length, text }
}

describe('bundled, minified and gzipped', () => {
  it.each([
    ['@helm-ai-kernel/core', 34_000],
    ['@helm-ai-kernel/core/receipt', 12_000],
  ])('%s is at most %i bytes', async (entry, limit) => {
    const { bytes } = await sizeOf(entry)
    console.log(`${entry}: ${bytes} bytes of ${limit}`)
    expect(bytes).toBeGreaterThan(1000)
    expect(bytes).toBeLessThanOrEqual(limit)
  })

  it('the receipt entry brings no schema library and no policy', async () => {
    const { text } = await sizeOf('@helm-ai-kernel/core/receipt')
    expect(text).not.toContain('strict_object')
    expect(text).not.toContain('NO_MATCHING_RULE')
    expect(text).toContain('helm.receipt/v1')
  })
})
