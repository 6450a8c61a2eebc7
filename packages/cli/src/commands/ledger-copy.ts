import { performance } from 'node:perf_hooks'
import { copyLedger } from '@helm-ai-kernel/host'
import { answerChecks } from '../checks.ts'
import { type Command, valueOf } from '../command.ts'
import { createProgress } from '../progress.ts'

export const ledgerCopy: Command = {
  summary: 'copy the ledger of a data directory into an empty PostgreSQL database, and verify it',
  usage: '[--data-dir DIR] [--signing-key-file FILE]',
  example: 'ledger copy --data-dir ./data',
  flags: {
    'data-dir': { value: 'DIR', summary: 'HELM_DATA_DIR or ./.helm when absent' },
    'signing-key-file': {
      value: 'FILE',
      summary: 'seed that signs; HELM_SIGNING_KEY_FILE, or keys/receipt.key, when absent',
    },
  },
  operands: [0, 0],
  details: [
    'The database is the one of DATABASE_URL. The kernel must be stopped. The same entries in the same',
    'order are the same log under the same name: every receipt, checkpoint and proof stays good. A copy',
    'that was broken off goes on where it stopped. The data directory is only read.',
  ],
  async run(given, io) {
    const now = (): number => performance.now()
    const copying = createProgress(io, 'entries copied', now)
    const verifying = createProgress(io, 'entries verified', now)
    const copied = await copyLedger(
      {
        dataDir: valueOf(given, 'data-dir'),
        signingKeyFile: valueOf(given, 'signing-key-file'),
      },
      io,
      { copied: copying.tell, verified: verifying.tell },
    ).finally(() => {
      copying.end()
      verifying.end()
    })
    const { checks, counts, tree } = copied.audit
    const what = [
      `${tree.size} entries and ${copied.blobs} files, root ${tree.root}`,
      ...(copied.resumedAt > 0 ? [`${copied.resumedAt} were there from a copy before`] : []),
      'next: set HELM_STORAGE_TYPE=postgres and DATABASE_URL, and start the kernel',
    ]
    const facts = { counts, tree, blobs: copied.blobs, resumed_at: copied.resumedAt }
    return answerChecks(io, given, checks, facts, what)
  },
}
