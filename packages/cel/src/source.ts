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
  const wellFormed = !/\p{Surrogate}/u.test(source)
  if (!wellFormed) refuseAt(source, undefined, 'an expression is well-formed text')
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

/** What may hold brackets that are none (comments, literals: raw ones first), and the brackets. */
const token = new RegExp(
  [
    /\/\/[^\r\n]*/,
    /(?:[rR][bB]?|[bB][rR])(?:"""[^]*?"""|'''[^]*?'''|"[^"\r\n]*"|'[^'\r\n]*')/,
    /"""(?:\\[^]|[^\\])*?"""|'''(?:\\[^]|[^\\])*?'''/,
    /"(?:\\.|[^"\\\r\n])*"|'(?:\\.|[^'\\\r\n])*'/,
    /[()[\]{}?,]/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'g',
)

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
  const at = offset === undefined ? 'the expression' : placeOf(source.slice(0, offset))
  throw new KernelError('COMPILE_FAILED', message, { at })
}

function placeOf(before: string): string {
  const lines = before.split(/\r\n|\r|\n/)
  return `line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
