import { messageOf } from '../error.ts'
import type { Request } from '../policy/request.ts'
import { encodeStoredArgs, storedArgsName } from '../policy/stored-args.ts'
import type { Stored } from '../ports/receipt-store.ts'
import type { Caller } from './caller.ts'
import type { KernelOptions } from './options.ts'

/** Keeps what a decision was asked with; resolves when that is durable, or cannot be. */
export type ArgsKeeper = (
  receipt: Pick<Stored, 'receiptId'>,
  request: Request,
  caller: Caller,
) => Promise<void>

export function createArgsKeeper({ args: keep, warn }: KernelOptions): ArgsKeeper {
  return async ({ receiptId }, { args, context, resource }, { roles }) => {
    if (keep === undefined) return
    try {
      const bytes = encodeStoredArgs({ args, context, resource, roles })
      await keep.put(storedArgsName(receiptId), bytes)
    } catch (error) {
      // The decision is recorded and holds: what is lost is a copy that no promise rests on.
      warn?.(`the arguments of ${receiptId} are not stored: ${messageOf(error)}`)
    }
  }
}
