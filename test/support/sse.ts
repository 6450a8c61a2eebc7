/** One event of a stream, or a comment. */
export interface StreamEvent {
  readonly id: string | undefined
  readonly event: string | undefined
  readonly data: string | undefined
  readonly comment: string | undefined
}

/** Reads a stream of events as a kernel writes them: a field a line, an empty line between. */
export interface EventReader {
  next(): Promise<StreamEvent | undefined>
  cancel(): Promise<void>
}

export function eventsOf(response: Response): EventReader {
  if (response.body === null) throw new Error(`no body: ${response.status}`)
  const body: ReadableStream<Uint8Array> = response.body
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  return {
    async next() {
      for (;;) {
        const end = text.indexOf('\n\n')
        if (end >= 0) {
          const block = text.slice(0, end)
          text = text.slice(end + 2)
          const field = (name: string): string | undefined =>
            new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1]
          return {
            id: field('id'),
            event: field('event'),
            data: field('data'),
            comment: field(''),
          }
        }
        const { done, value } = await reader.read()
        if (done) return undefined
        text += decoder.decode(value, { stream: true })
      }
    },
    cancel: () => reader.cancel(),
  }
}
