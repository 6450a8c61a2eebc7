import { describe, expect, it } from 'vitest'
import {
  createEventParser,
  eventsIn,
  type StreamEvent,
} from '../../packages/cli/src/event-stream.ts'

const parsed = (...pieces: readonly string[]): readonly StreamEvent[] => {
  const parse = createEventParser()
  return pieces.flatMap((piece) => parse(piece))
}

async function all(events: AsyncIterable<StreamEvent>): Promise<readonly StreamEvent[]> {
  const found: StreamEvent[] = []
  for await (const event of events) found.push(event)
  return found
}

describe('server-sent events', () => {
  it.each<[string, readonly (readonly [event: string, id: string, data: string | undefined])[]]>([
    ['data: a\n\n', [['message', '', 'a']]],
    [
      'data: a\r\rdata: b\r\n\r\n',
      [
        ['message', '', 'a'],
        ['message', '', 'b'],
      ],
    ],
    ['event: receipt\nid: 7\ndata: {}\n\n', [['receipt', '7', '{}']]],
    ['data: a\ndata:\ndata:  b\n\n', [['message', '', 'a\n\n b']]],
    ['data\n\n', [['message', '', '']]],
    [
      'id: 1\n\ndata: a\n\n',
      [
        ['message', '1', undefined],
        ['message', '1', 'a'],
      ],
    ],
    [
      'id: 1\ndata: a\n\nid\ndata: b\n\n',
      [
        ['message', '1', 'a'],
        ['message', '', 'b'],
      ],
    ],
    ['id: 1\0\ndata: a\n\n', [['message', '', 'a']]],
    [': comment\ndata: a: b\n\n', [['message', '', 'a: b']]],
    [
      'event: x\n\ndata: a\n\n',
      [
        ['x', '', undefined],
        ['message', '', 'a'],
      ],
    ],
    ['retry: 5\nother: x\nDATA: no\ndata: a\n\n', [['message', '', 'a']]],
    ['data: a\n', []],
    ['data: half', []],
  ])('%j', (text, expected) => {
    const events = parsed(text).map(({ event, id, data }) => [event, id, data])
    expect(events).toEqual(expected)
  })

  it.each(['\n', '\r\n', '\r'])('are the same wherever they are cut, with %j', async (end) => {
    const lines = [
      ...['id: c2Vx', '', ': heartbeat', 'id: c2Vx', ''],
      ...['id: 1', 'event: receipt', 'data: {"a":"ä 😀 \u2028"', 'data: }', ''],
      ...['event: receipt', 'data: b', '', 'data: c', '', ''],
    ]
    const text = lines.join(end)
    const whole = parsed(text)
    expect(whole.map(({ data }) => data)).toEqual([
      undefined,
      undefined,
      '{"a":"ä 😀 \u2028"\n}',
      'b',
      'c',
    ])
    const bytes = new TextEncoder().encode(text)
    for (let at = 0; at <= bytes.length; at++) {
      const cut = async function* () {
        yield bytes.subarray(0, at)
        yield bytes.subarray(at)
      }
      expect(await all(eventsIn(cut())), `cut at ${at}`).toEqual(whole)
    }
    const single = async function* () {
      for (const byte of bytes) yield Uint8Array.of(byte)
    }
    expect(await all(eventsIn(single()))).toEqual(whole)
  })

  it.each([
    ['one line', ['data: ', 'x'.repeat(600_000), 'x'.repeat(600_000)]],
    ['many lines', Array.from({ length: 11 }, () => `data: ${'x'.repeat(100_000)}\n`)],
  ])('are refused when one of %s is too long', (_, pieces) => {
    expect(() => parsed(...pieces)).toThrow(expect.objectContaining({ code: 'KERNEL_UNREACHABLE' }))
  })

  it('may be many, each as long as one may be', () => {
    const one = `data: ${'x'.repeat(1_000_000)}\n\n`
    expect(parsed(one, one, one)).toHaveLength(3)
  })
})
