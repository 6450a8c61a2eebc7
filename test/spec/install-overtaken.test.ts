import {
  canonicalBytes,
  type KernelOptions,
  memoryStore,
  noTrust,
  type ReceiptStore,
  scopeOf,
} from '@helm-ai-kernel/core'
import { describe, expect, it } from 'vitest'
import { signedBundle, testKernel } from '../support/kernel.ts'
import { scope } from '../support/policy.ts'

/** A store in which others do something before the first activation of `epoch` is sealed. */
function overtaken(epoch: number, others: (store: ReceiptStore) => Promise<unknown>): ReceiptStore {
  const store = memoryStore()
  let isOvertaken = false
  return {
    ...store,
    append: async (drafts, seal) => {
      const [draft] = drafts
      if (!isOvertaken && draft?.body.kind === 'activation' && draft.body.policy_epoch === epoch) {
        isOvertaken = true
        await others(store)
      }
      return store.append(drafts, seal)
    },
  }
}

describe('an install that another replica overtakes', () => {
  const replica = (store: ReceiptStore, epoch: number, more: Partial<KernelOptions>) => {
    const { bytes, signature } = signedBundle(epoch)
    return testKernel({ store, ...more }).kernel.install(
      bytes,
      more.trust === noTrust ? undefined : signature,
    )
  }

  it.each<[how: string, options: Partial<KernelOptions>]>([
    ['signed', {}],
    ['unsigned', { trust: noTrust }],
  ])('with newer %s policy is refused, and writes no activation', async (_how, options) => {
    const store = overtaken(2, (inner) => replica(inner, 3, options))
    await expect(replica(store, 2, options)).rejects.toMatchObject({ code: 'EPOCH_ROLLBACK' })
    const { receipts } = await store.find({ scope, kind: 'activation', limit: 10 })
    expect(receipts.map(({ statement }) => statement)).toMatchObject([{ policy_epoch: 3 }])
  })

  it('with the same policy goes on from its activation', async () => {
    const store = overtaken(2, (inner) => replica(inner, 2, {}))
    expect(await replica(store, 2, {})).toMatchObject({ status: 'resumed' })
    expect((await store.find({ scope, kind: 'activation', limit: 10 })).receipts).toHaveLength(1)
  })

  it('in another scope goes on as if nothing had been', async () => {
    const acme = scopeOf('acme', 'prod')
    const bytes = canonicalBytes({
      type: 'helm.policy-bundle/v1',
      scope: { tenant_id: 'acme', workspace_id: 'prod' },
      policy_epoch: 9,
      rules: [],
    })
    const store = overtaken(2, (inner) =>
      testKernel({ store: inner, trust: noTrust, scope: acme }).kernel.install(bytes),
    )
    expect(await replica(store, 2, {})).toMatchObject({ status: 'activated' })
  })

  it('with older policy is activated after it, and names it', async () => {
    const store = overtaken(2, (inner) => replica(inner, 1, {}))
    expect(await replica(store, 2, {})).toMatchObject({ status: 'activated' })
    const { receipts } = await store.find({ scope, kind: 'activation', limit: 10 })
    expect(receipts.map(({ statement }) => statement)).toMatchObject([
      { policy_epoch: 1, previous_epoch: null },
      { policy_epoch: 2, previous_epoch: 1 },
    ])
  })
})
