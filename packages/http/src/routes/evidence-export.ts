import { isKernelError, KernelError, type Stored } from '@helm-ai-kernel/core'
import { buildPack, type SaltOf } from '@helm-ai-kernel/core/evidence'
import { claimedCheckpoint } from '@helm-ai-kernel/core/log'
import { readJson } from '../limits/body.ts'
import type { InFlight } from '../limits/in-flight.ts'
import type { AppOptions, EvidenceSource } from '../options.ts'
import type { Credential } from '../auth/credentials.ts'
import type { Refusal } from '../problem.ts'
import { type Answer, type Resource, resource } from '../route.ts'
import { createPause } from './evidence-pause.ts'
import { keyReceiptsOf, receiptsOf } from './evidence-receipts.ts'
import { type ExportRequest, parseExportRequest } from './evidence-request.ts'
import { untilSent } from './until-sent.ts'

const unpublished: Refusal = {
  refused: 'NOT_FOUND',
  detail: 'no checkpoint is published yet: try again',
  headers: { 'retry-after': '1' },
}

/**
 * `POST /api/v1/evidence/export`: an evidence pack of the credential's own scope. The newest checkpoint
 * moves on; whoever sends an older one of this log gets the pack of that tree, byte for byte again.
 */
export function exportResource(
  options: AppOptions,
  evidence: EvidenceSource,
  inFlight: InFlight,
): Resource {
  const { crypto, clock, receipts, log, limits } = options
  return resource('/api/v1/evidence/export', {
    POST: {
      access: 'read',
      async handle({ request }, credential) {
        const asked = parseExportRequest(await readJson(request, limits.maxBodyBytes))
        return untilSent(inFlight, () => answer(asked, credential))
      },
    },
  })

  async function answer(asked: ExportRequest, { scope }: Credential): Promise<Answer> {
    const newest = await log.checkpoint()
    const { identity } = await receipts.state()
    if (newest === undefined || identity === undefined) return unpublished
    const checkpoint = asked.checkpoint ?? newest
    const size = sizeOf(asked, checkpoint, newest)
    const found = await receiptsOf(receipts, scope, asked, size)
    const saltOf = asked.salts ? saltsOf(evidence, found) : undefined
    const input = {
      crypto,
      identity,
      scope,
      receipts: found,
      keyReceipts: await keyReceiptsOf(receipts),
      checkpoint,
      tiles: log,
      policies: evidence.policies,
      pause: createPause(clock),
      ...(saltOf && { saltOf }),
    }
    const pack = await buildPack(input).catch((error: unknown) => {
      throw asked.checkpoint === undefined ? error : foreign(error)
    })
    const range = `${found[0]?.statement.seq}-${found.at(-1)?.statement.seq}`
    const name = `evidence-${scope.tenantId}-${scope.workspaceId}-${range}.tar`
    return {
      status: 200,
      headers: {
        'content-type': 'application/x-tar',
        'content-disposition': `attachment; filename="${name}"`,
      },
      body: pack,
    }
  }
}

/** The size of the tree that is meant. Throws `REQUEST_MALFORMED` when there is no such checkpoint. */
function sizeOf(
  { treeSize, checkpoint: given }: ExportRequest,
  checkpoint: Uint8Array,
  newest: Uint8Array,
): number {
  const { size: published } = claimedCheckpoint(newest)
  const { size } = given === undefined ? { size: published } : claimIn(checkpoint)
  if (size > published) {
    throw refused(`is of ${size} entries, and this log has published ${published}`, 'checkpoint')
  }
  if (treeSize === undefined || treeSize === size) return size
  throw refused(
    given === undefined
      ? `the newest checkpoint is of ${published} entries: for another tree send its checkpoint, which packs of it have as log/checkpoint`
      : `the checkpoint is of ${size} entries: leave tree_size out`,
    'tree_size',
  )
}

function claimIn(checkpoint: Uint8Array): { readonly size: number } {
  try {
    return claimedCheckpoint(checkpoint)
  } catch (error) {
    throw foreign(error)
  }
}

const notOurs: ReadonlySet<string> = new Set([
  ...['BYTES_INVALID', 'CHECKPOINT_INVALID', 'IDENTIFIER_INVALID', 'KEY_UNTRUSTED'],
  ...['PROOF_INVALID', 'SIGNATURE_INVALID'],
])

/** What a checkpoint that the caller sent is to blame for. */
function foreign(error: unknown): unknown {
  return isKernelError(error) && notOurs.has(error.code)
    ? refused(`must be a checkpoint that this log published: ${error.message}`, 'checkpoint')
    : error
}

/** Throws `REQUEST_MALFORMED` when not all salts can be given: a part of them would look like all. */
function saltsOf({ salts }: EvidenceSource, receipts: readonly Stored[]): SaltOf {
  const older = receipts.findLast(
    ({ statement }) => statement.kind === 'decision' && statement.key_id !== salts?.keyId,
  )
  if (salts === undefined) throw refused('this kernel discloses no salts: leave it out', 'salts')
  if (older === undefined) return salts.salt
  throw refused(
    `the seed of ${older.statement.key_id} is gone, and with it the salts up to seq ${older.statement.seq}: begin after it`,
    'salts',
  )
}

function refused(message: string, at: string): KernelError {
  return new KernelError('REQUEST_MALFORMED', message, { at })
}
