import { type ErrorCode, isKernelError } from '@helm-ai-kernel/core'
import type { Io } from './io.ts'
import { print, printDocument } from './print.ts'

/** What to do, where the message cannot know that it is a command that is running. */
const remedies: Readonly<Record<string, string>> = {
  BUNDLE_MALFORMED: 'correct the policy at that place and build it again',
  COMPILE_FAILED: 'correct the policy at that place and build it again',
  NOT_CANONICAL: 'a bundle is never edited: change the policy and run bundle build',
  SIGNATURE_INVALID: 'sign these bytes again with bundle sign, or give the key that signed them',
  SIGNATURE_MISSING: 'run bundle sign, or give the signature file with --sig',
  KEY_UNTRUSTED:
    'give the key that signed, with --key, or --log-key for a log, or one more in the trust root',
  SCOPE_MISMATCH: 'build the bundle for this scope with --scope, or ask about its own',
  RECEIPT_MALFORMED: 'give the entry as receipts show --json or the log serves it, unchanged',
  LOG_ROLLED_BACK: 'keep both checkpoints: they show together that the log was cut or put back',
  LOG_EQUIVOCATED: 'keep both checkpoints: they show together that the log has two histories',
  LOG_FORKED: 'keep both checkpoints: they show together that the log has two histories',
  CHECKPOINT_INVALID: 'give the note as /log/checkpoint serves it, unchanged',
  LEDGER_MISSING: 'give the data directory with --data-dir, or HELM_DATA_DIR',
} satisfies Partial<Record<ErrorCode, string>>

/** The remedy for a code, in words of the command line; undefined when its message says all. */
export function remedyFor(code: string): string | undefined {
  return Object.hasOwn(remedies, code) ? remedies[code] : undefined
}

/**
 * Reports an error on stderr, and as the one document of `--json`; never a stack. Returns the exit
 * code 2.
 */
export function reportError(io: Io, error: unknown, json: boolean): number {
  const message = error instanceof Error ? error.message : String(error)
  const code = isKernelError(error) ? error.code : 'INTERNAL'
  const fix = remedyFor(code)
  if (json) printDocument(io, { error: { code, message, ...(fix !== undefined && { fix }) } })
  const [first = '', ...more] = message.split('\n')
  const lines = [`error ${code}: ${first}`, ...more.map((line) => `  ${line}`)]
  print(io, 'stderr', fix === undefined ? lines : [...lines, `fix: ${fix}`])
  return 2
}
