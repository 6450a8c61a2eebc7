import fs from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Caller,
  decodeHex,
  type Keep,
  nobleCrypto as crypto,
  scopeOf,
  type Stored,
} from '@helm-ai-kernel/core'
import { decodeStoredArgs, storedArgsName } from '@helm-ai-kernel/core/policy'
import { saltedHash } from '@helm-ai-kernel/core/receipt'
import { fileKeep } from '@helm-ai-kernel/host'
import { describe, expect, it } from 'vitest'
import { kernelSigner, readyKernel } from '../support/kernel.ts'
import { memoryDisk } from '../support/memory-disk.ts'
import { startServer, temporaryFolder } from '../support/server.ts'

const secret = 'an argument that is nobody’s business'
const request = {
  principal: 'agent:a',
  action: 'refund.create',
  args: { amount: 5, note: secret },
  context: { ticket: 'b' },
}

async function deciding(keep: Keep) {
  const { kernel, warnings } = await readyKernel({ args: keep })
  const { decision, receipt } = await kernel.decide(request)
  if (receipt === undefined) throw new Error('no receipt')
  return { kernel, decision, receipt, warnings }
}

const stored = async (keep: Keep, { receiptId }: Stored) =>
  decodeStoredArgs((await keep.get(storedArgsName(receiptId))) ?? new Uint8Array())

describe('the arguments of a decision', () => {
  it('are not kept unless the host gives a place for them', async () => {
    const keep = fileKeep(memoryDisk())
    const { kernel } = await readyKernel({ keep })
    await kernel.decide(request)
    expect(await keep.list('args/')).toEqual([])
  })

  it('are kept beside the receipt, whose hashes fit them, before the answer comes', async () => {
    const keep = fileKeep(memoryDisk())
    const { receipt } = await deciding(keep)
    expect(await keep.list('args/')).toEqual([`args/${receipt.receiptId}.json`])
    const { args, context, resource, roles } = await stored(keep, receipt)
    expect({ args, context, resource, roles }).toEqual({
      args: request.args,
      context: request.context,
      resource: '',
      roles: ['decide'],
    })
    const { statement } = receipt
    if (statement.kind !== 'decision') throw new Error('unreachable')
    const salt = kernelSigner.salt(decodeHex(statement.request_id, 16, 'request_id'))
    expect(saltedHash(crypto, 'args', salt, args)).toBe(statement.args_hash)
    expect(saltedHash(crypto, 'context', salt, context)).toBe(statement.context_hash)
  })

  it('are kept with the roles and the resource that the caller had', async () => {
    const keep = fileKeep(memoryDisk())
    const { kernel } = await deciding(keep)
    const caller: Caller = {
      scope: scopeOf('default', 'default'),
      surface: 'evaluate',
      credential: 'admin',
      method: 'key',
      roles: ['decide', 'read'],
    }
    const { receipt } = await kernel.decide({ ...request, resource: 'order:1' }, caller)
    if (receipt === undefined) throw new Error('no receipt')
    expect(await stored(keep, receipt)).toMatchObject({
      resource: 'order:1',
      roles: ['decide', 'read'],
    })
  })

  it('lost with their disk cost a warning that does not show them, and no verdict', async () => {
    const full: Keep = { ...fileKeep(memoryDisk()), put: () => Promise.reject(new Error('full')) }
    const { decision, receipt, warnings } = await deciding(full)
    expect(decision.verdict).toBe('ESCALATE')
    expect(warnings).toEqual([`the arguments of ${receipt.receiptId} are not stored: full`])
  })

  it('are only read in the form in which they were written', async () => {
    const keep = fileKeep(memoryDisk())
    const { receipt } = await deciding(keep)
    const bytes = await keep.get(storedArgsName(receipt.receiptId))
    const text = new TextDecoder().decode(bytes)
    for (const wrong of [
      '',
      '{}',
      '[]',
      ` ${text}`,
      text.slice(0, -1),
      text.replace('"roles":["decide"]', '"roles":[1]'),
      text.replace('"roles"', '"rules"'),
      text.replace('"roles"', '"role":[],"roles"'),
      text.replace('"resource":""', '"resource":null'),
    ]) {
      expect(wrong).not.toBe(text)
      expect(() => decodeStoredArgs(new TextEncoder().encode(wrong))).toThrow(
        expect.objectContaining({ code: 'RECEIPT_MALFORMED' }),
      )
    }
  })
})

describe('HELM_RECEIPT_ARGS', () => {
  it.each([
    ['hash', 0],
    ['store', 1],
  ])('%s leaves %i files, for the owner alone', async (setting, count) => {
    const folder = await temporaryFolder()
    const server = await startServer(folder, { HELM_RECEIPT_ARGS: setting })
    try {
      const { receipt_id } = await server.evaluate({ action: 'refund.create', args: request.args })
      const names = await fs.readdir(join(folder, 'args')).catch(() => [])
      expect(names).toEqual(count === 0 ? [] : [`${receipt_id}.json`])
      for (const name of names) {
        const { mode } = await fs.stat(join(folder, 'args', name))
        expect(mode & 0o777).toBe(0o600)
      }
      expect(JSON.stringify(await server.receipt(receipt_id))).not.toContain(secret)
      expect(server.text()).not.toContain(secret)
    } finally {
      await server.close()
      await fs.rm(folder, { recursive: true })
    }
  })
})
