import { parsePublicKey } from '@helm-ai-kernel/core'
import { rotateKeys } from '@helm-ai-kernel/host'
import { type Command, valueOf } from '../command.ts'
import { usage } from '../parse.ts'
import { answer } from '../print.ts'

const name = 'keys rotate'

export const keysRotate: Command = {
  summary: 'let the key that signs a ledger name the next one, and end; the kernel must be stopped',
  usage: '--next HEX [--data-dir DIR] [--signing-key-file FILE]',
  example: 'keys rotate --next 7d4e… --data-dir ./data --signing-key-file receipt.key',
  flags: {
    next: { value: 'HEX', summary: 'public key of the next key, as keygen shows it' },
    'data-dir': { value: 'DIR', summary: 'HELM_DATA_DIR or ./.helm when absent' },
    'signing-key-file': {
      value: 'FILE',
      summary: 'seed of the key that ends; HELM_SIGNING_KEY_FILE, or keys/receipt.key, when absent',
    },
  },
  operands: [0, 0],
  details: [
    'The key that ends signs a receipt that names the next one, and a last checkpoint. From then on the',
    'ledger takes nothing but from the next key, which begins when the kernel is started with its seed.',
    'Whoever trusted the key before may trust the next one, and old receipts keep verifying.',
  ],
  async run(given, io) {
    const hex = valueOf(given, 'next')
    if (hex === undefined) throw usage(name, '--next is missing')
    const { ended, successor, receipt } = await rotateKeys(
      {
        next: parsePublicKey(hex, '--next'),
        dataDir: valueOf(given, 'data-dir'),
        signingKeyFile: valueOf(given, 'signing-key-file'),
      },
      io,
    )
    const document = {
      ended,
      successor,
      written: receipt !== undefined,
      ...(receipt && { receipt_id: receipt.receiptId, log_index: receipt.logIndex }),
    }
    const what =
      receipt === undefined
        ? `${ended} had ended before, and named ${successor}: nothing was written`
        : `${ended} has ended and named ${successor}: ${receipt.receiptId} at log index ${receipt.logIndex}`
    const next = `next: set HELM_SIGNING_KEY_FILE to the seed of ${successor}, and start the kernel`
    return answer(io, given, document, [what, next])
  },
}
