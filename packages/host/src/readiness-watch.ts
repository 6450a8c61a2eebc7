import type { Cancel, Clock, JsonObject } from '@helm-ai-kernel/core'
import type { Finding, Readiness } from '@helm-ai-kernel/http'
import type { Log } from './log.ts'

const interval = 1_000

/** Logs one line for each change of readiness, until `cancel`. */
export async function watchReadiness(
  readiness: () => Readiness,
  log: Log,
  clock: Pick<Clock, 'sleep'>,
  cancel: Cancel,
): Promise<void> {
  let told = ''
  while (!cancel.aborted) {
    const { ready, reasons, warnings } = readiness()
    const now = [ready, ...[...reasons, ...warnings].map(({ code }) => code)].join()
    if (now !== told) {
      const write = ready ? log.info : log.warn
      write(ready ? 'ready' : 'not ready', {
        reasons: reasons.map(fields),
        warnings: warnings.map(fields),
      })
    }
    told = now
    await clock.sleep(interval, cancel)
  }
}

function fields({ check, code, detail, fix }: Finding): JsonObject {
  return { check, code, detail, fix }
}
