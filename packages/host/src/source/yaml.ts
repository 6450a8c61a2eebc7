import { type Json, KernelError } from '@helm-ai-kernel/core'
import { Composer, isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, Parser } from 'yaml'

/** As in JSON (design 2.1). */
const maxDepth = 64
/** The parser holds at most three tokens for each level of nesting. */
const maxStack = 3 * maxDepth

/** The part of a node that is not its value. */
interface Marked {
  readonly anchor?: string | undefined
  readonly tag?: string | undefined
  readonly range?: readonly [number, ...number[]] | null | undefined
}

/**
 * Reads YAML 1.2, core schema, as far as it says what JSON says (design 2.2): one document, no
 * directives, anchors, aliases, tags, duplicate or non-text keys, and numbers that a double holds.
 * Throws `BUNDLE_MALFORMED` with the file's name, line and column.
 */
export function parseYaml(text: string, name: string): Json {
  const lines = new LineCounter()
  const refuse = (message: string, offset: number): never => {
    const { line, col } = lines.linePos(offset)
    throw new KernelError('BUNDLE_MALFORMED', `${name}: ${message}`, {
      at: `line ${line}, column ${col}`,
    })
  }
  const [document, second] = new Composer({
    version: '1.2',
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
    intAsBigInt: true,
    stringKeys: true,
    // Its check compares each key with each; `jsonOf` looks once.
    uniqueKeys: false,
    logLevel: 'silent',
  }).compose(tokens(text, lines, refuse))
  if (document === undefined) return null
  if (second !== undefined) refuse('a policy is one YAML document', second.range[0])
  const [fault] = [...document.errors, ...document.warnings]
  if (fault !== undefined) refuse(`not YAML 1.2: ${fault.message}`, fault.pos[0])
  const { yaml, tags } = document.directives
  if (yaml.explicit === true || Object.keys(tags).length > 1) {
    refuse('a policy has no YAML directives: remove the lines that begin with %', 0)
  }
  return jsonOf(document.contents, 0)

  function jsonOf(node: unknown, depth: number): Json {
    if (node === null) return null
    const at = (node as Marked).range?.[0] ?? 0
    if (depth > maxDepth) refuse(`nested deeper than ${maxDepth} levels`, at)
    const { anchor, tag } = node as Marked
    if (isAlias(node) || anchor !== undefined) refuse('a policy has no anchors and aliases', at)
    if (tag !== undefined) refuse(`a policy has no tags: remove ${tag}`, at)
    if (isSeq(node)) return node.items.map((item) => jsonOf(item, depth + 1))
    if (isScalar(node)) return scalar(node.value, node.source ?? '', at)
    if (!isMap(node)) return refuse('a policy holds maps, lists and scalars', at)
    const members = new Map<string, Json>()
    for (const { key, value } of node.items) {
      const name = jsonOf(key, depth)
      if (typeof name !== 'string') return refuse('a key is a text', at)
      const place = (key as Marked).range?.[0] ?? at
      if (members.has(name)) refuse(`"${name}" stands twice: remove one`, place)
      members.set(name, jsonOf(value, depth + 1))
    }
    return Object.fromEntries(members)
  }

  function scalar(value: unknown, source: string, at: number): Json {
    if (typeof value === 'bigint') {
      const number = Number(value)
      return Number.isSafeInteger(number) ? number : refuse('an integer beyond 2^53 - 1', at)
    }
    if (typeof value === 'number') {
      const underflow = value === 0 && /^[-+.0]*[1-9]/.test(source)
      return Number.isFinite(value) && !underflow ? value : refuse('not a finite number', at)
    }
    if (typeof value === 'string') {
      return /\p{Cs}/u.test(value) ? refuse('a lone surrogate', at) : value
    }
    return typeof value === 'boolean' || value === null ? value : refuse('not a JSON value', at)
  }
}

/** The parser takes any depth, but the composer recurses: so what is too deep ends here. */
function* tokens(
  text: string,
  lines: LineCounter,
  refuse: (message: string, offset: number) => never,
): ReturnType<Parser['parse']> {
  const parser = new Parser(lines.addNewLine)
  lines.addNewLine(0)
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme)
    if (parser.stack.length > maxStack)
      refuse(`nested deeper than ${maxDepth} levels`, parser.offset)
  }
  yield* parser.end()
}
