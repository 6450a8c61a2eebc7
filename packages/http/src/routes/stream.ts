/**
 * The body that a generator makes, read only as fast as the client does. `end` is called when nobody
 * reads on or nothing more comes, perhaps twice; a generator that waits must then come to its end. What
 * it throws is told to `failed` alone, and ends the body: hosts would print it, or send it.
 */
export function streamOf(
  chunks: AsyncGenerator<string, void>,
  end: () => void,
  failed: (error: unknown) => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder()
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await chunks.next()
          if (done !== true) {
            controller.enqueue(encoder.encode(value))
            return
          }
        } catch (error) {
          failed(error)
        }
        end()
        controller.close()
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  )
}
