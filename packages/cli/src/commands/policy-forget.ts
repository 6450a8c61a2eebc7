import { scopeKey } from '@helm-ai-kernel/core'
import { forgetPolicy } from '@helm-ai-kernel/host'
import { type Command, valueOf } from '../command.ts'
import { defaultScope, scopeFlag } from '../policy-file.ts'
import { answer } from '../print.ts'

const name = 'policy forget'

export const policyForget: Command = {
  summary: 'let unsigned policy follow signed policy in a scope; the kernel must be stopped',
  usage: '[--scope TENANT/WORKSPACE] [--data-dir DIR] [--signing-key-file FILE]',
  example: 'policy forget --scope acme/prod --data-dir ./data --signing-key-file receipt.key',
  flags: {
    scope: { value: 'TENANT/WORKSPACE', summary: 'default/default when absent' },
    'data-dir': { value: 'DIR', summary: 'HELM_DATA_DIR or ./.helm when absent' },
    'signing-key-file': {
      value: 'FILE',
      summary: 'seed of the ledger; HELM_SIGNING_KEY_FILE, or keys/receipt.key, when absent',
    },
  },
  operands: [0, 0],
  details: [
    'A scope that once had signed policy takes no unsigned policy. This writes a receipt that lets it,',
    'until policy is signed again; epochs of signed policy are remembered all the same.',
  ],
  async run(given, io) {
    const scope = scopeFlag(name, given) ?? defaultScope
    await forgetPolicy(
      {
        scope,
        dataDir: valueOf(given, 'data-dir'),
        signingKeyFile: valueOf(given, 'signing-key-file'),
      },
      io,
    )
    const document = { tenant_id: scope.tenantId, workspace_id: scope.workspaceId, forgotten: true }
    return answer(io, given, document, [`${scopeKey(scope)} may have unsigned policy again`])
  },
}
