import { decodeJson, type Json, KernelError } from '@helm-ai-kernel/core'

const jsonType = /^application\/json\s*(?:;\s*charset="?utf-8"?\s*)?$/i
const tarType = /^application\/x-tar$/i

/**
 * Reads the body of a request as strict JSON, never holding more than `maxBytes` of it. Throws
 * `UNSUPPORTED_MEDIA_TYPE`, `TOO_LARGE` or `REQUEST_MALFORMED`.
 */
export async function readJson(request: Request, maxBytes: number): Promise<Json> {
  checkType(request, jsonType, 'application/json')
  const bytes = await readBody(request, maxBytes)
  return decodeJson(bytes, { maxBytes, code: 'REQUEST_MALFORMED', what: 'the request body' })
}

/** Reads the body of a request as a tar, of which nothing is known yet. Throws as `readJson`. */
export async function readTar(request: Request, maxBytes: number): Promise<Uint8Array> {
  checkType(request, tarType, 'application/x-tar')
  return readBody(request, maxBytes)
}

function checkType({ headers }: Request, type: RegExp, name: string): void {
  if (!type.test(headers.get('content-type') ?? '')) {
    throw new KernelError('UNSUPPORTED_MEDIA_TYPE', `send Content-Type: ${name}`)
  }
  if ((headers.get('content-encoding') ?? 'identity') !== 'identity') {
    throw new KernelError('UNSUPPORTED_MEDIA_TYPE', 'send the body without a Content-Encoding')
  }
}

async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const declared = request.headers.get('content-length')
  if (declared !== null && Number(declared) > maxBytes) throw tooLarge(maxBytes)
  try {
    // A body of declared length ends there: servers cut or refuse the rest. It is read in one piece.
    return declared === null
      ? await readStream(request.body, maxBytes)
      : checked(new Uint8Array(await request.arrayBuffer()), maxBytes)
  } catch (cause) {
    if (cause instanceof KernelError) throw cause
    throw new KernelError('REQUEST_MALFORMED', 'the request body broke off', { cause })
  }
}

async function readStream(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
): Promise<Uint8Array> {
  if (body === null) return new Uint8Array()
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.length
    if (size > maxBytes) {
      reader.cancel().catch(() => undefined)
      throw tooLarge(maxBytes)
    }
    chunks.push(value)
  }
  const bytes = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

function checked(bytes: Uint8Array, maxBytes: number): Uint8Array {
  if (bytes.length > maxBytes) throw tooLarge(maxBytes)
  return bytes
}

function tooLarge(maxBytes: number): KernelError {
  return new KernelError('TOO_LARGE', `a request body is at most ${maxBytes} bytes`)
}
