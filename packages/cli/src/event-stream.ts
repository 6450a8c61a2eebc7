import { KernelError } from '@helm-ai-kernel/core'

/** What stands between two empty lines of a stream of server-sent events. */
export interface StreamEvent {
  /** `message` when it has no name. */
  readonly event: string
  /** The newest id, of this event or one before; empty before the first. */
  readonly id: string
  /** Undefined when it has none: then it is no event, but its id counts. */
  readonly data: string | undefined
}

/** Text of one event; receipts with their entries are a tenth of it. */
const maxLength = 1024 * 1024

/** Reads server-sent events (HTML, section 9.2.6) from text that may be cut anywhere. */
export function createEventParser(): (text: string) => readonly StreamEvent[] {
  let rest = ''
  let afterReturn = false
  let id = ''
  let event = ''
  let data: string[] = []
  let length = 0

  function* taken(line: string): Generator<StreamEvent> {
    if (line === '') {
      yield { event: event || 'message', id, data: data.length === 0 ? undefined : data.join('\n') }
      event = ''
      data = []
      length = 0
      return
    }
    const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? []
    if (name === 'event') event = value
    if (name === 'data') data.push(value)
    if (name === 'id' && !value.includes('\0')) id = value
    length += line.length
  }

  return (text) => {
    if (text === '') return []
    // A return ends a line, and a newline that comes right after it, even in the next piece, does not.
    const more = afterReturn && text.startsWith('\n') ? text.slice(1) : text
    afterReturn = text.endsWith('\r')
    const lines = (rest + more).split(/\r\n|\n|\r/)
    rest = lines.pop() ?? ''
    const events = lines.flatMap((line) => [...taken(line)])
    if (length + rest.length > maxLength) {
      throw new KernelError('KERNEL_UNREACHABLE', 'an event is too long; it may be no kernel')
    }
    return events
  }
}

/** The events of a body, as they come. */
export async function* eventsIn(body: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder()
  const parse = createEventParser()
  for await (const bytes of body) yield* parse(decoder.decode(bytes, { stream: true }))
}
