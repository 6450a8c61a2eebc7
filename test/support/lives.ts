import { spawn } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** Bundles a program of this folder into `folder`, for Node; the path of what was made. */
export async function buildProgram(name: string, folder: string): Promise<string> {
  const outfile = join(folder, `${name}.mjs`)
  await build({
    entryPoints: [fileURLToPath(new URL(`${name}.ts`, import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['@helm/source'],
    external: ['vitest'],
  })
  return outfile
}

/**
 * Starts a program that appends, kills it so many ms after it first spoke, and gives the receipts that
 * it said were acknowledged.
 */
export async function liveAndDie(
  program: string,
  argument: string,
  ms: number,
): Promise<readonly string[]> {
  const child = spawn(process.execPath, [program, argument])
  let said = ''
  let complained = ''
  child.stderr.on('data', (chunk) => (complained += String(chunk)))
  child.stdout.on('data', (chunk) => {
    if (said === '') setTimeout(() => child.kill('SIGKILL'), ms)
    said += String(chunk)
  })
  const code = await new Promise((done) => child.on('close', done))
  if (code !== null) throw new Error(`the process ended by itself: ${complained}`)
  return said.match(/rcpt-[0-9a-f]{64}(?=\n)/g) ?? []
}
