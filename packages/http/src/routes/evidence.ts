import { createInFlight } from '../limits/in-flight.ts'
import type { AppOptions } from '../options.ts'
import type { Refusal } from '../problem.ts'
import type { Resource } from '../route.ts'
import { exportResource } from './evidence-export.ts'
import { verifyResource } from './evidence-verify.ts'

/**
 * A pack is held in memory, up to 64 MiB, and is seconds of work: so many are made at one moment, and so
 * many verified. Each has its own room, since a caller may take long to send one.
 */
const most = 2

const busy: Refusal = {
  refused: 'OVERLOADED',
  detail: `the kernel makes and verifies ${most} evidence packs at a time: try again`,
  headers: { 'retry-after': '5' },
}

/** Evidence packs (design 2.8): made of the credential's own scope, and verified. */
export function evidenceResources(options: AppOptions): readonly Resource[] {
  const { evidence } = options
  const verify = verifyResource(options, createInFlight(most, busy))
  if (evidence === undefined) return [verify]
  return [exportResource(options, evidence, createInFlight(most, busy)), verify]
}
