import {
  isTimestamp,
  KernelError,
  reasonCodes,
  type ReceiptQuery,
  type Scope,
  type Verdict,
} from '@helm-ai-kernel/core'
import type { Kind } from '@helm-ai-kernel/core/receipt'
import type { Cursors } from './cursor.ts'

/** What a list of receipts was asked for, and whether each comes with its entry. */
export interface ListQuery extends ReceiptQuery {
  readonly entries?: boolean
}

interface Parameter {
  readonly expected: string
  /** Undefined when the text is not what is expected. */
  read(text: string, cursors: Cursors): Partial<ListQuery> | undefined
}

const maxLimit = 1000
const defaultLimit = 100
/** No member of a receipt is longer. */
const maxText = 2048

// Records, so that a new member of either union does not compile until it stands here.
const verdicts = { ALLOW: 1, DENY: 1, ESCALATE: 1 } satisfies Record<Verdict, 1>
const kinds = {
  decision: 1,
  outcome: 1,
  activation: 1,
  rejection: 1,
  forget: 1,
  approval: 1,
  tool: 1,
  key: 1,
  trust: 1,
} satisfies Record<Kind, 1>

const parameters: ReadonlyMap<string, Parameter> = new Map(
  Object.entries<Parameter>({
    limit: {
      expected: `an integer from 1 to ${maxLimit}`,
      read: (text) => {
        const limit = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : Infinity
        return limit <= maxLimit ? { limit } : undefined
      },
    },
    cursor: {
      expected: 'the next_cursor of an answer to this credential',
      read: (text, cursors) => {
        const afterSeq = cursors.decode(text)
        return afterSeq === undefined ? undefined : { afterSeq }
      },
    },
    entries: {
      expected: 'true or false',
      read: (text) =>
        text === 'true' || text === 'false' ? { entries: text === 'true' } : undefined,
    },
    verdict: oneOf('verdict', Object.keys(verdicts)),
    kind: oneOf('kind', Object.keys(kinds)),
    reason_code: oneOf('reasonCode', Object.values(reasonCodes).flat(), 'a reason code'),
    principal: text('principal'),
    action: text('action'),
    resource: text('resource'),
    session_id: text('sessionId'),
    from: time('from'),
    to: time('to'),
  }),
)

const tailParameters = new Map([...parameters].filter(([name]) => name !== 'limit'))

/**
 * Reads the query of a list. A parameter that is unknown, given twice or malformed is refused: a
 * filter that nobody read would answer more than was asked for. Throws `REQUEST_MALFORMED`.
 */
export function parseListQuery(url: URL, scope: Scope, cursors: Cursors): ListQuery {
  return parse(url, parameters, { scope, limit: defaultLimit }, cursors)
}

/** Reads the query of a tail, which has no limit; it gets `limit` receipts at a time. */
export function parseTailQuery(url: URL, scope: Scope, limit: number, cursors: Cursors): ListQuery {
  return parse(url, tailParameters, { scope, limit }, cursors)
}

function parse(
  url: URL,
  parameters: ReadonlyMap<string, Parameter>,
  query: ListQuery,
  cursors: Cursors,
): ListQuery {
  const seen = new Set<string>()
  for (const [name, value] of url.searchParams) {
    const parameter = parameters.get(name)
    if (parameter === undefined) {
      refuse(`there is no such parameter, there are ${[...parameters.keys()].join(', ')}`, name)
    }
    if (seen.has(name)) refuse('give it once', name)
    seen.add(name)
    const read = parameter.read(value, cursors)
    if (read === undefined) refuse(`must be ${parameter.expected}`, name)
    query = { ...query, ...read }
  }
  return query
}

function oneOf(
  member: 'verdict' | 'kind' | 'reasonCode',
  values: readonly string[],
  expected = `one of ${values.join(', ')}`,
): Parameter {
  return {
    expected,
    read: (given) => (values.includes(given) ? { [member]: given } : undefined),
  }
}

function text(member: 'principal' | 'action' | 'resource' | 'sessionId'): Parameter {
  return {
    expected: `at most ${maxText} characters`,
    read: (given) => (given.length <= maxText ? { [member]: given } : undefined),
  }
}

function time(member: 'from' | 'to'): Parameter {
  return {
    expected: 'a time such as 2026-11-22T06:00:00.000Z',
    read: (given) => (isTimestamp(given) ? { [member]: given } : undefined),
  }
}

function refuse(message: string, at: string): never {
  throw new KernelError('REQUEST_MALFORMED', message, { at })
}
