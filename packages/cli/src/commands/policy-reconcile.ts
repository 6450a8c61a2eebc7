import type { Command } from '../command.ts'
import { clientFlags } from '../kernel-client.ts'
import { scopeFlag } from '../policy-file.ts'
import { isReconciled, statusLines } from '../policy-status.ts'
import { createWaker } from '../policy-wake.ts'
import { answer } from '../print.ts'

const name = 'policy reconcile'

export const policyReconcile: Command = {
  summary: 'have a kernel ask its policy source now; exit code 1 when that does not end well',
  usage: '[--scope TENANT/WORKSPACE] [flags]',
  example: 'policy reconcile --scope acme/prod --api-key-file service.key',
  flags: {
    scope: { value: 'TENANT/WORKSPACE', summary: 'one scope; every scope when absent' },
    url: { ...clientFlags.url, summary: `${clientFlags.url.summary}; the internal port, if set` },
    'api-key-file': {
      value: 'FILE',
      summary: 'file with the service key; HELM_API_KEY or HELM_SERVICE_API_KEY when absent',
    },
  },
  operands: [0, 0],
  async run(given, io) {
    const scope = scopeFlag(name, given)
    const waker = await createWaker(name, given, io, ['HELM_API_KEY', 'HELM_SERVICE_API_KEY'])
    const { body, statuses } = await waker.wake(scope)
    const code = statuses.every(isReconciled) ? 0 : 1
    return answer(io, given, body, statuses.flatMap(statusLines), code)
  },
}
