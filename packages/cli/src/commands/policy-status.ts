import { KernelError } from '@helm-ai-kernel/core'
import type { Command } from '../command.ts'
import { clientFlags, kernelClient } from '../kernel-client.ts'
import { isActive, statusesIn, statusLines } from '../policy-status.ts'
import { answer } from '../print.ts'

export const policyStatus: Command = {
  summary: "show the policy of the key's scope; exit code 1 when it is not active",
  usage: '[flags]',
  example: 'policy status --api-key-file .helm/keys/admin',
  flags: clientFlags,
  operands: [0, 0],
  async run(given, io) {
    const client = await kernelClient('policy status', given, io)
    const body = await client.get('/api/v1/policy/status')
    const [status] = statusesIn(body)
    if (status === undefined) {
      throw new KernelError('KERNEL_UNREACHABLE', `${client.url} told no policy status`)
    }
    return answer(io, given, body, statusLines(status), isActive(status) ? 0 : 1)
  },
}
