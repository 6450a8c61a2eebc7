import {
  digest,
  encodeUtf8,
  memoryStore,
  nobleCrypto,
  type ReceiptStore,
} from '@helm-ai-kernel/core'
import type { EffectivePolicySnapshot } from '@helm-ai-kernel/core/policy'
import { describe, expect, it } from 'vitest'
import { checkFloor } from '../../packages/core/src/kernel/floor.ts'
import { signedBundle, testKernel } from '../support/kernel.ts'
import { scope, snapshotOf } from '../support/policy.ts'
import { refusal } from '../support/refusal.ts'

const hashOf = (text: string) => digest(nobleCrypto, encodeUtf8(text))
const mark = (epoch: number, text = `${epoch}`) => ({ epoch, hash: hashOf(text) })
type Provenance = EffectivePolicySnapshot['provenance']
const policy = (
  policyEpoch: number,
  provenance: Provenance = 'signed',
  text = `${policyEpoch}`,
) => ({
  ...snapshotOf([]),
  scope,
  policyEpoch,
  policyHash: hashOf(text),
  provenance,
})
const fresh = {
  seq: 0,
  prev: undefined,
  signed: undefined,
  signedOnly: false,
  unsigned: undefined,
} as const
const none = new Map<string, number>()

describe('the floor of a scope', () => {
  it.each<[what: string, act: () => unknown, code: string, message: string]>([
    [
      'below the newest activation',
      () => checkFloor(policy(4), { ...fresh, signed: mark(5) }, none),
      'EPOCH_ROLLBACK',
      'policy_epoch 4 is below 5, which this scope has reached',
    ],
    [
      'below the trust root’s floor, which is above the newest activation',
      () => checkFloor(policy(8), { ...fresh, signed: mark(5) }, new Map([['default/default', 9]])),
      'EPOCH_ROLLBACK',
      'policy_epoch 8 is below 9',
    ],
    [
      'below what is held, which the ledger does not know of',
      () => checkFloor(policy(6), { ...fresh, signed: mark(5) }, none, policy(7)),
      'EPOCH_ROLLBACK',
      'policy_epoch 6 is below 7',
    ],
    [
      'below the newest activation, when what is held is older',
      () => checkFloor(policy(4), { ...fresh, signed: mark(5) }, none, policy(3)),
      'EPOCH_ROLLBACK',
      'policy_epoch 4 is below 5',
    ],
    [
      'of the newest epoch, with other bytes',
      () => checkFloor(policy(5, 'signed', 'other'), { ...fresh, signed: mark(5) }, none),
      'EPOCH_EQUIVOCATION',
      `policy_epoch 5 was activated as ${hashOf('5')}, this bundle is ${hashOf('other')}`,
    ],
    [
      'of the epoch that is held, with other bytes',
      () => checkFloor(policy(7, 'signed', 'other'), fresh, none, policy(7)),
      'EPOCH_EQUIVOCATION',
      `was activated as ${hashOf('7')}`,
    ],
    [
      'of what is held, where the ledger has other bytes of that epoch',
      () =>
        checkFloor(
          policy(5, 'signed', 'other'),
          { ...fresh, signed: mark(5) },
          none,
          policy(5, 'signed', 'other'),
        ),
      'EPOCH_EQUIVOCATION',
      `was activated as ${hashOf('5')}`,
    ],
    [
      'more than 2^32 above it',
      () => checkFloor(policy(5 + 2 ** 32 + 1), { ...fresh, signed: mark(5) }, none),
      'EPOCH_JUMP',
      `policy_epoch ${5 + 2 ** 32 + 1} is more than 2^32 above 5`,
    ],
    [
      'unsigned, where signed policy was',
      () =>
        checkFloor(policy(9, 'unsigned'), { ...fresh, signed: mark(5), signedOnly: true }, none),
      'SIGNATURE_MISSING',
      'this scope had signed policy, so an unsigned bundle is refused',
    ],
    [
      'unsigned, below the newest unsigned one',
      () => checkFloor(policy(4, 'unsigned'), { ...fresh, unsigned: mark(5) }, none),
      'EPOCH_ROLLBACK',
      'is below 5',
    ],
  ])('refuses policy %s', (_what, act, code, message) => {
    const error = refusal(act)
    expect(error.code).toBe(code)
    expect(error.message).toContain(message)
  })

  it.each<[what: string, act: () => unknown]>([
    ['the first', () => checkFloor(policy(1), fresh, none)],
    ['the next', () => checkFloor(policy(6), { ...fresh, signed: mark(5) }, none)],
    ['the newest again', () => checkFloor(policy(5), { ...fresh, signed: mark(5) }, none)],
    [
      'one that is 2^32 above it, however high it is',
      () => checkFloor(policy(2 ** 33), { ...fresh, signed: mark(2 ** 32) }, none),
    ],
    [
      'one at the trust root’s floor',
      () => checkFloor(policy(9), fresh, new Map([['default/default', 9]])),
    ],
    [
      'one below the trust root’s floor of another scope',
      () => checkFloor(policy(1), fresh, new Map([['default/other', 9]])),
    ],
    [
      'signed below unsigned, which has no authority',
      () => checkFloor(policy(2), { ...fresh, unsigned: mark(9) }, none, policy(9, 'unsigned')),
    ],
    [
      'unsigned below the trust root’s floor, which is of signed policy',
      () => checkFloor(policy(1, 'unsigned'), fresh, new Map([['default/default', 9]])),
    ],
    [
      'unsigned again, after signed policy was forgotten',
      () =>
        checkFloor(policy(2, 'unsigned'), { ...fresh, signed: mark(9) }, none, policy(9, 'signed')),
    ],
  ])('lets in %s', (_what, act) => {
    expect(act).not.toThrow()
  })
})

describe('a kernel', () => {
  it('holds policy to what is installed, also when its ledger is lost beneath it', async () => {
    let current = memoryStore()
    const store: ReceiptStore = {
      append: (drafts, seal) => current.append(drafts, seal),
      read: (from, to) => current.read(from, to),
      find: (query) => current.find(query),
      state: () => current.state(),
    }
    const { kernel } = testKernel({ store })
    const install = ({ bytes, signature }: ReturnType<typeof signedBundle>) =>
      kernel.install(bytes, signature)
    await install(signedBundle(5))
    current = memoryStore()
    await expect(install(signedBundle(4))).rejects.toMatchObject({ code: 'EPOCH_ROLLBACK' })
    expect(kernel.status().policy?.policyEpoch).toBe(5)
  })
})
