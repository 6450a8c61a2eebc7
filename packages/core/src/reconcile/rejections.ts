import type { Digest } from '../bytes/digest.ts'
import { timestamp } from '../bytes/time.ts'
import type { Authority } from '../kernel/authority.ts'
import type { Clock } from '../ports/clock.ts'
import type { ReceiptStore } from '../ports/receipt-store.ts'
import type { PolicyCode } from '../reason.ts'
import type { RejectionBody } from '../receipt/statement.ts'
import type { Scope } from '../trust/scope.ts'

/** What was refused, and why. */
export interface Rejection {
  readonly reasonCode: PolicyCode
  readonly desiredEpoch: number | undefined
  readonly desiredHash: Digest | undefined
  readonly source: string
}

/** Writes rejection receipts for one scope: once for each distinct cause, and few (design 3.2). */
export interface Rejections {
  /** Throws `LEDGER_…`; the cause is then told again the next time. */
  record(rejection: Rejection): Promise<void>
}

const most = 10
const hour = 3_600_000

export function createRejections(
  scope: Scope,
  authority: Pick<Authority, 'reject'>,
  receipts: Pick<ReceiptStore, 'find'>,
  clock: Pick<Clock, 'now'>,
): Rejections {
  /** When each cause of the last hour was told; undefined until the ledger was asked. */
  let told: Map<string, number> | undefined

  return {
    async record({ reasonCode, desiredEpoch, desiredHash, source }) {
      const now = clock.now()
      told ??= await ofLastHour(now)
      const rejection = {
        reason_code: reasonCode,
        desired_epoch: desiredEpoch ?? null,
        desired_hash: desiredHash ?? null,
        source,
      }
      const cause = causeOf(rejection)
      const recent = [...told.values()].filter((at) => at > now - hour).length
      if (told.has(cause) || recent >= most) return
      await authority.reject(scope, rejection)
      forget(told, now)
      told.set(cause, now)
    },
  }

  /** A restart is no reason to say it all again. */
  async function ofLastHour(now: number): Promise<Map<string, number>> {
    const from = timestamp(now - hour)
    const { receipts: found } = await receipts.find({ scope, kind: 'rejection', from, limit: 100 })
    return new Map(
      found.flatMap(({ statement }) =>
        statement.kind === 'rejection'
          ? [[causeOf(statement), Date.parse(statement.time)] as const]
          : [],
      ),
    )
  }
}

/** So many causes are remembered beyond their hour. */
const maxCauses = 1_000

function forget(told: Map<string, number>, now: number): void {
  if (told.size < maxCauses) return
  for (const [cause, at] of told) if (at <= now - hour) told.delete(cause)
}

function causeOf({
  reason_code,
  desired_epoch,
  desired_hash,
}: Omit<RejectionBody, 'kind'>): string {
  return [reason_code, desired_epoch, desired_hash].join()
}
