import { isKernelError, isObject, type Json, type JsonObject } from '@helm-ai-kernel/core'
import type { Command } from '../command.ts'
import { clientFlags, kernelClient, type Response } from '../kernel-client.ts'
import { answer } from '../print.ts'

const name = 'health'

export const health: Command = {
  summary: 'ask a kernel whether it is ready; exit code 1 when it is not, or does not answer',
  usage: '[--url URL]',
  example: 'health --url http://127.0.0.1:8081',
  flags: clientFlags,
  operands: [0, 0],
  async run(given, io) {
    const client = await kernelClient(name, given, io)
    let response: Response
    try {
      response = await client.ask('/readyz')
    } catch (error) {
      if (!isKernelError(error, 'KERNEL_UNREACHABLE')) throw error
      const document = { ready: false, reasons: [{ code: error.code, detail: error.message }] }
      return answer(io, given, document, [`fail ${error.code}: ${error.message}`], 1)
    }
    const body = isObject(response.body) ? response.body : {}
    const ready = response.status === 200 && body['ready'] === true
    const lines = [
      ready ? `ready ${client.url}` : `fail ${client.url} is not ready`,
      ...findings(body['reasons'], 'fail'),
      ...findings(body['warnings'], 'warning'),
    ]
    return answer(io, given, body, lines, ready ? 0 : 1)
  },
}

function findings(list: Json | undefined, word: string): readonly string[] {
  const objects: readonly JsonObject[] = Array.isArray(list) ? list.filter(isObject) : []
  return objects.map((finding) => {
    const told = ['check', 'code', 'detail', 'fix'].map((member) => finding[member])
    return [`  ${word}`, ...told.filter((part) => typeof part === 'string')].join(' ')
  })
}
