import { type Clock, isKernelError, KernelError, messageOf, type Tiles } from '@helm-ai-kernel/core'
import { heldHead, type Witness, witness, type Witnessed } from '@helm-ai-kernel/core/log'
import { readIfThere, replaceFile } from './files.ts'
import type { Io } from './io.ts'

/** What a witness watches, and where it keeps what it has seen. */
export interface Watch {
  readonly self: Witness
  readonly tiles: Tiles
  /** File of the newest checkpoint, as it was cosigned. */
  readonly state: string
  /** The checkpoint to begin from while there is no such file. */
  readonly beginning: Uint8Array | undefined
  /** Where others find it. */
  readonly out: string | undefined
}

/** A checkpoint that was refused. */
export interface Refused {
  readonly error: KernelError
  /** What was seen before, and what was shown now: with both signed, they are evidence. */
  readonly last: Uint8Array | undefined
  readonly next: Uint8Array
}

/** One look at the log. Throws what is no fault of the log: it is to be tried again. */
export async function witnessRound(
  { self, tiles, state, beginning, out }: Watch,
  io: Io,
  clock: Pick<Clock, 'now'>,
): Promise<Witnessed | Refused> {
  const kept = await readIfThere(io, state)
  const last = kept ?? beginning
  if (last !== undefined) checkHeld(self, last, kept === undefined ? '--checkpoint' : state)
  const next = await tiles.checkpoint()
  if (next === undefined) throw new KernelError('NOT_FOUND', 'the log has no checkpoint yet')
  const time = Math.floor(clock.now() / 1000)
  let witnessed: Witnessed
  try {
    witnessed = await witness(self, { last, next, tiles, time })
  } catch (error) {
    if (isKernelError(error) && isRefusal(error)) return { error, last, next }
    throw error
  }
  // INVARIANT: what was cosigned is on the disk before anybody gets it, or it could be forgotten.
  await replaceFile(io, state, witnessed.note)
  if (out !== undefined) await replaceFile(io, out, witnessed.note)
  return witnessed
}

const refusals: ReadonlySet<string> = new Set([
  'BYTES_INVALID',
  'CHECKPOINT_INVALID',
  'KEY_UNTRUSTED',
  'LOG_EQUIVOCATED',
  'LOG_FOREIGN',
  'LOG_FORKED',
  'LOG_ROLLED_BACK',
  'PROOF_INVALID',
  'SIGNATURE_INVALID',
] satisfies readonly KernelError['code'][])

/** Whether the log is at fault: what it shows is not what it must be. */
function isRefusal({ code }: KernelError): boolean {
  return refusals.has(code)
}

/** A head that is not to be gone on from is no fault of the log. */
function checkHeld(self: Witness, held: Uint8Array, from: string): void {
  try {
    heldHead(self, held)
  } catch (cause) {
    if (!isKernelError(cause) || !isRefusal(cause)) throw cause
    const what = `${from} is no checkpoint of ${self.origin} that this witness or its log signed`
    throw new KernelError('FILE_UNUSABLE', `${what}: ${messageOf(cause)}`, { cause })
  }
}
