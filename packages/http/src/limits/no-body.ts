import { KernelError } from '@helm-ai-kernel/core'

/** Throws `REQUEST_MALFORMED`, saying `why`, when a request has a body, declared or not. */
export async function refuseBody({ headers, body }: Request, why: string): Promise<void> {
  const isDeclared =
    headers.has('transfer-encoding') || Number(headers.get('content-length') ?? 0) !== 0
  if (isDeclared || (body !== null && (await hasByte(body)))) {
    throw new KernelError('REQUEST_MALFORMED', why)
  }
}

/** Reads to the first byte, and no further. */
async function hasByte(body: ReadableStream<Uint8Array>): Promise<boolean> {
  const reader = body.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return false
      if (value.length === 0) continue
      reader.cancel().catch(() => undefined)
      return true
    }
  } catch {
    // A body that broke off was one.
    return true
  }
}
