import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Public test data, beside the checkout when a developer has it; a newcomer has not. */
const root = fileURLToPath(new URL('../../../shared/vectors/', import.meta.url))

export const haveVectors: boolean = existsSync(root)

/** Why the tests that need them are skipped. */
export const noVectors = 'skipped: ../shared/vectors is not beside this checkout'

export function vector(path: string): Uint8Array {
  return readFileSync(root + path)
}

export function vectorText(path: string): string {
  return readFileSync(root + path, 'utf8')
}

export function vectorNames(folder: string): readonly string[] {
  return readdirSync(root + folder).sort()
}
