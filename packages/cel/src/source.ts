import { encodeUtf8, KernelError } from '@helm-ai-kernel/core'
import { type Expr, parse } from './library.ts'
import { limits } from './limits.ts'

/** Throws `COMPILE_FAILED`; the place is that of the node, when there is one. */
export type Refuse = (message: string, expr?: Expr) => never

export interface Parsed {
  readonly expr: Expr
  readonly refuse: Refuse
}

/** Parses an expression whose size and nesting are bounded first, since the parser recurses. */
export function parseSource(source: string): Parsed {
  if (/\p{Surrogate}/u.test(source))
    refuseAt(source, undefined, 'an expression is well-formed text')
  // A text has at least as many bytes as units.
  if (source.length > limits.source || encodeUtf8(source).length > limits.source) {
    refuseAt(source, undefined, `an expression has at most ${limits.source} bytes: split it`)
  }
  checkNesting(source)
  try {
    const { expr, sourceInfo } = parse(source)
    const refuse: Refuse = (message, at) =>
      refuseAt(source, at && sourceInfo?.positions[at.id.toString()], message)
    return { expr, refuse }
  } catch (cause) {
    const [, line, column, message] = syntaxError.exec(messageOf(cause)) ?? []
    throw new KernelError('COMPILE_FAILED', `not CEL: ${message ?? messageOf(cause)}`, {
      at: line === undefined ? 'the expression' : `line ${line}, column ${column ?? ''}`,
      cause,
    })
  }
}

const syntaxError = /^<input>:(\d+):(\d+): (.*)$/s

// Comments and literals are skipped: raw ones, where a backslash is nothing special, first.
const token =
  /\/\/[^\r\n]*|(?:[rR][bB]?|[bB][rR])(?:"""[^]*?"""|'''[^]*?'''|"[^"\r\n]*"|'[^'\r\n]*')|"""(?:\\[^]|[^\\])*?"""|'''(?:\\[^]|[^\\])*?'''|"(?:\\.|[^"\\\r\n])*"|'(?:\\.|[^'\\\r\n])*'|[()[\]{}?,]/g

/** Brackets nest, and so does every `?` of a chain of conditionals, which a comma ends. */
function checkNesting(source: string): void {
  const outer: number[] = []
  let depth = 0
  for (const { 0: found, index } of source.matchAll(token)) {
    if (found === ')' || found === ']' || found === '}') depth = outer.pop() ?? 0
    else if (found === '(' || found === '[' || found === '{') outer.push(depth++)
    else if (found === ',') depth = (outer.at(-1) ?? -1) + 1
    else if (found === '?') depth++
    if (depth > limits.depth) refuseAt(source, index, tooDeep)
  }
}

export const tooDeep: string = `an expression nests at most ${limits.depth} deep: split it`

function refuseAt(source: string, offset: number | undefined, message: string): never {
  if (offset === undefined)
    throw new KernelError('COMPILE_FAILED', message, { at: 'the expression' })
  const before = source.slice(0, offset).split(/\r\n|\r|\n/)
  const at = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`
  throw new KernelError('COMPILE_FAILED', message, { at })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
