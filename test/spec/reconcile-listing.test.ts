import { scopeOf } from '@helm-ai-kernel/core'
import { describe, expect, it } from 'vitest'
import { signedBundle } from '../support/kernel.ts'
import { scope } from '../support/policy.ts'
import {
  acme,
  callerOf,
  forAcme,
  testReconciler,
  turns,
  unreachable,
} from '../support/reconcile.ts'

const read = { principal: 'agent:a', action: 'ticket.read' }

describe('the list of scopes', () => {
  it('is read at the poll interval, more seldom while it fails, and again as before', async () => {
    const { source, start, pass } = testReconciler()
    const listed = async (seconds: number): Promise<number> => {
      const before = source.listings()
      for (let second = 0; second < seconds; second++) await pass(1_000)
      return source.listings() - before
    }
    source.offer(signedBundle(1))
    await start()
    await turns()
    expect(source.listings()).toBe(1)
    const asBefore = await listed(120)
    expect(asBefore).toBeGreaterThan(8)
    expect(asBefore).toBeLessThan(15)
    source.list(unreachable)
    await listed(300)
    const failing = await listed(300)
    expect(failing).toBeGreaterThan(3)
    expect(failing).toBeLessThan(8)
    source.list(undefined)
    await listed(100)
    expect(await listed(120)).toBeGreaterThan(8)
  })

  it('has a fault until it was read, and while it cannot be', async () => {
    const { source, start, reconciler } = testReconciler()
    source.offer(signedBundle(1))
    expect(reconciler.listingFault()).toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: 'not listed yet',
    })
    await start()
    await turns()
    expect(reconciler.listingFault()).toBeUndefined()
    source.list(new Error('EACCES'))
    await reconciler.wake()
    expect(reconciler.listingFault()).toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: 'EACCES',
    })
    source.list(unreachable)
    await reconciler.wake()
    expect(reconciler.listingFault()).toBe(unreachable)
    source.list(undefined)
    await reconciler.wake()
    expect(reconciler.listingFault()).toBeUndefined()
  })

  it('has its fault told when it is another one, not each time', async () => {
    const { source, start, reconciler, warnings } = testReconciler()
    source.offer(signedBundle(1))
    await start()
    const say = async (listing: Error | undefined): Promise<void> => {
      source.list(listing)
      await reconciler.wake()
    }
    for (const listing of [unreachable, unreachable, new Error('EACCES'), undefined, unreachable]) {
      await say(listing)
    }
    expect(warnings).toEqual([
      'the scopes cannot be listed: the folder is gone',
      'the scopes cannot be listed: EACCES',
      'the scopes cannot be listed: the folder is gone',
    ])
  })

  it.each<[string, Error | 'hangs', string]>([
    ['fails', unreachable, 'the folder is gone'],
    ['hangs', 'hangs', 'the list of scopes did not come within 10 s'],
  ])('leaves scopes as they are while it %s', async (_, listing, said) => {
    const { kernel, source, start, reconciler, pass } = testReconciler()
    source.offer(signedBundle(1))
    source.offer(forAcme(1), acme)
    await start()
    await reconciler.wake()
    source.list(listing)
    const woken = reconciler.wake()
    await pass(10_000)
    await pass(10_000)
    await woken
    expect(reconciler.listingFault()?.message).toBe(said)
    expect(kernel.evaluate(read, callerOf(acme)).verdict).toBe('ALLOW')
  })

  it('delays no scope while it hangs', async () => {
    const { kernel, source, start } = testReconciler()
    source.offer(signedBundle(1))
    source.list('hangs')
    await start()
    expect(kernel.evaluate(read).verdict).toBe('ALLOW')
  })

  it('holds at most a hundred thousand scopes: of a longer one nothing is taken', async () => {
    const { source, start, reconciler } = testReconciler()
    source.offer(signedBundle(1))
    const most = Array<typeof scope>(100_000).fill(scope)
    source.list([...most.slice(1), acme, acme])
    await start()
    await turns()
    expect(reconciler.listingFault()).toMatchObject({
      code: 'SOURCE_TOO_LARGE',
      message: 'a source lists at most 100000 scopes',
    })
    expect(reconciler.status(acme)).toBeUndefined()
    source.list(most)
    await reconciler.wake()
    expect(reconciler.listingFault()).toBeUndefined()
  })

  it('may not name the scope of the kernel itself', async () => {
    const { source, start, reconciler } = testReconciler()
    source.offer(signedBundle(1))
    source.list([scope, scopeOf('helm', 'system')])
    await start()
    await reconciler.wake()
    expect(reconciler.listingFault()).toMatchObject({
      code: 'SCOPE_MISMATCH',
      message: 'the source lists helm/system, which is reserved',
    })
    expect(reconciler.statuses()).toHaveLength(1)
  })
})
