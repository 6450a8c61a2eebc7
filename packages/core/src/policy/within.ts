import type { Test } from './operator.ts'

/**
 * `within`: whether a POSIX path lies in or under a directory, by whole segments. Undefined when the
 * directory itself cannot be read as a path.
 */
export function compileWithin(directory: string): Test | undefined {
  const base = segmentsOf(directory)
  if (base === undefined) return undefined
  return (actual) => {
    const path = typeof actual === 'string' ? segmentsOf(actual) : undefined
    return path === undefined ? undefined : base.every((segment, i) => path[i] === segment)
  }
}

// What a shell, a web server or Windows would read otherwise than we do is an error, not a guess.
const ambiguous = /[\\\0]|%2e|%2f|%5c/i

function segmentsOf(path: string): readonly string[] | undefined {
  if (!path.startsWith('/') || ambiguous.test(path)) return undefined
  const segments = path.split('/').filter((segment) => segment !== '')
  return segments.some((segment) => segment === '.' || segment === '..') ? undefined : segments
}
