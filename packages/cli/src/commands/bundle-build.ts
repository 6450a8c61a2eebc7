import { join } from 'node:path'
import {
  canonical,
  equalBytes,
  isObject,
  type Json,
  type JsonObject,
  scopeKey,
} from '@helm-ai-kernel/core'
import { encodeBundle } from '@helm-ai-kernel/core/bundle'
import { lintRules } from '@helm-ai-kernel/core/policy'
import { parseAuthored } from '@helm-ai-kernel/host'
import { type Command, type Given, valueOf } from '../command.ts'
import { readFile, readIfThere, replaceFile } from '../files.ts'
import type { Io } from '../io.ts'
import { usage } from '../parse.ts'
import { compileUnverified, defaultScope, scopeFlag } from '../policy-file.ts'
import { answer, print, table } from '../print.ts'

const name = 'bundle build'

export const bundleBuild: Command = {
  summary: 'make a canonical policy.bundle of a policy in YAML or JSON',
  usage: '<policy.yaml> [--out DIR] [--scope T/W] [--epoch N]',
  example: 'bundle build policy.yaml --out dist --scope acme/prod --epoch 7',
  flags: {
    out: { value: 'DIR', summary: 'folder for policy.bundle; this one when absent' },
    scope: { value: 'T/W', summary: 'tenant and workspace, when the policy names none' },
    epoch: { value: 'N', summary: 'policy_epoch, when the policy has none; 1 when absent' },
  },
  operands: [1, 1],
  async run(given, io) {
    const [path = ''] = given.operands
    const bytes = encode(parseAuthored(await readFile(io, path), path), path, given)
    const { bundle } = compileUnverified(bytes)
    const warnings = lintRules(bundle.rules).map(
      ({ ruleId, at, message }) => `rule ${ruleId}, ${at}: ${message}`,
    )
    const out = join(valueOf(given, 'out') ?? '.', 'policy.bundle')
    if (await leavesSignature(io, out, bytes)) {
      warnings.push(`${out}.sig is of other bytes: run bundle sign`)
    }
    await replaceFile(io, out, bytes)
    print(
      io,
      'stderr',
      warnings.map((warning) => `warning: ${warning}`),
    )
    const document = {
      file: out,
      scope: scopeKey(bundle.scope),
      policy_epoch: bundle.policyEpoch,
      policy_hash: bundle.policyHash,
      rules: bundle.rules.length,
      tests: bundle.tests.length,
      bytes: bytes.length,
    }
    const lines = table(Object.entries(document).map(([key, value]) => [key, `${value}`]))
    return answer(io, given, { ...document, warnings }, lines)
  },
}

function encode(authored: Json, path: string, given: Given): Uint8Array {
  const scope = scopeFlag(name, given)
  const epoch = valueOf(given, 'epoch')
  if (epoch !== undefined && !/^[1-9]\d{0,15}$/.test(epoch)) {
    throw usage(name, '--epoch is an integer from 1')
  }
  const flags: JsonObject = {
    ...(scope && { scope: { tenant_id: scope.tenantId, workspace_id: scope.workspaceId } }),
    ...(epoch !== undefined && { policy_epoch: Number(epoch) }),
  }
  for (const [member, value] of Object.entries(flags)) {
    const own = isObject(authored) ? authored[member] : undefined
    if (own !== undefined && canonical(own) !== canonical(value)) {
      throw usage(name, `${path} has another ${member} than the flag: remove one of them`)
    }
  }
  return encodeBundle(authored, { scope: scope ?? defaultScope, policyEpoch: Number(epoch ?? 1) })
}

/** Whether a signature beside the bundle would be left without the bytes that it is of. */
async function leavesSignature(io: Io, out: string, bytes: Uint8Array): Promise<boolean> {
  if ((await readIfThere(io, `${out}.sig`)) === undefined) return false
  return !equalBytes((await readIfThere(io, out)) ?? new Uint8Array(), bytes)
}
