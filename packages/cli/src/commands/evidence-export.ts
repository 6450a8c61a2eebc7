import {
  canonical,
  decodeJson,
  decodeUtf8,
  isObject,
  type Json,
  KernelError,
  scopeKey,
} from '@helm-ai-kernel/core'
import { maxPackBytes, readMembers } from '@helm-ai-kernel/core/evidence'
import { type Command, type Given, valueOf } from '../command.ts'
import { createFile, readFile, refuseExisting, replaceFile } from '../files.ts'
import type { Io } from '../io.ts'
import { clientFlags, kernelClient } from '../kernel-client.ts'
import { usage } from '../parse.ts'
import { scopeFlag } from '../policy-file.ts'
import { answer, table } from '../print.ts'

const name = 'evidence export'

export const evidenceExport: Command = {
  summary: 'put receipts of a running kernel, with their proofs and policies, into one file',
  usage: '--out FILE [--from N] [--to N] [--checkpoint FILE] [--salts] [--force]',
  example: 'evidence export --out october.tar --from 1000 --to 1999',
  flags: {
    out: { value: 'FILE', summary: 'the pack, a tar; written whole or not at all' },
    force: { summary: 'overwrite it when it is there' },
    from: { value: 'N', summary: 'seq of the first receipt, 1 when absent' },
    to: { value: 'N', summary: 'seq of the last one, the last in the tree when absent' },
    checkpoint: {
      value: 'FILE',
      summary: 'the tree to prove them in, as this log published it; the newest when absent',
    },
    'tree-size': { value: 'N', summary: 'refuse another tree than that of so many entries' },
    scope: { value: 'T/W', summary: 'refuse another scope than this; it is that of the API key' },
    salts: { summary: 'disclose the salts of arguments, so that who has those can check them' },
    ...clientFlags,
  },
  operands: [0, 0],
  details: [
    'A pack has 10,000 receipts and 64 MiB at most. The same range in the same tree is the same bytes:',
    'for an older tree give its checkpoint, which is log/checkpoint in a pack of it.',
  ],
  async run(given, io) {
    const out = valueOf(given, 'out')
    if (out === undefined) throw usage(name, '--out is missing: name the file')
    const force = given.flags.has('force')
    const scope = scopeFlag(name, given)
    const asked = await requestOf(given, io)
    const client = await kernelClient(name, given, io)
    if (!force) await refuseExisting(io, out)
    const pack = await client.order('/api/v1/evidence/export', asked, maxPackBytes)
    const told = await describe(pack)
    if (scope !== undefined && told.scope !== scopeKey(scope)) {
      const message = `the API key is of ${told.scope}: use one of ${scopeKey(scope)}`
      throw new KernelError('SCOPE_MISMATCH', message)
    }
    await (force ? replaceFile : createFile)(io, out, pack)
    const document = { file: out, ...told, bytes: pack.length }
    return answer(io, given, document, table(rowsOf(document)))
  },
}

/** The body of the request; members that are absent are left out. */
async function requestOf(given: Given, io: Io): Promise<Json> {
  const path = valueOf(given, 'checkpoint')
  const from = integerFlag(given, 'from')
  const to = integerFlag(given, 'to')
  const treeSize = integerFlag(given, 'tree-size')
  return {
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    ...(treeSize !== undefined && { tree_size: treeSize }),
    ...(path !== undefined && { checkpoint: decodeUtf8(await readFile(io, path)) }),
    ...(given.flags.has('salts') && { salts: true }),
  }
}

function integerFlag(given: Given, flag: string): number | undefined {
  const text = valueOf(given, flag)
  if (text === undefined) return undefined
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw usage(name, `--${flag} is an integer from 1`)
}

/** What a pack says it is. Throws `EVIDENCE_INVALID`, so that nothing else is ever written as one. */
async function describe(pack: Uint8Array) {
  const manifest = (await readMembers(pack)).get('manifest.json') ?? new Uint8Array()
  const limits = {
    maxBytes: maxPackBytes,
    code: 'EVIDENCE_INVALID',
    what: 'manifest.json',
  } as const
  const json = decodeJson(manifest, limits)
  const { scope, from = null, to = null, tree_size = null } = isObject(json) ? json : {}
  const { tenant_id: tenant, workspace_id: workspace } = isObject(scope) ? scope : {}
  if (typeof tenant !== 'string' || typeof workspace !== 'string') {
    throw new KernelError('EVIDENCE_INVALID', 'the kernel answered with a pack of no scope')
  }
  return { scope: `${tenant}/${workspace}`, from, to, tree_size }
}

function rowsOf(document: Readonly<Record<string, Json>>): readonly (readonly string[])[] {
  return Object.entries(document).map(([member, value]) => [
    member,
    typeof value === 'string' ? value : canonical(value),
  ])
}
