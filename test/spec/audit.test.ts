import { describe, expect, it } from 'vitest'
import { type AuditOptions, type AuditResult, createAudit } from '@helm-ai-kernel/core/receipt'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import {
  acme,
  activation,
  began,
  checkpointOf,
  decision,
  ended,
  identity,
  other,
  sealAll,
  signerOf,
  type Step,
} from '../support/log-entries.ts'

const one = signerOf(1)
const two = signerOf(2)
const pretender: typeof one = { ...two, keyId: one.keyId }
const by = (key: typeof one, ...drafts: readonly Step['draft'][]): readonly Step[] =>
  drafts.map((draft) => ({ by: key, draft }))

const good = by(
  one,
  began(one),
  activation(acme, 3),
  decision(acme, 3),
  decision(other, null),
  activation(acme, 4),
  decision(acme, 4),
)

function audit(
  entries: readonly Uint8Array[],
  options: Omit<AuditOptions, 'crypto'> = { identity },
): AuditResult {
  const auditor = createAudit({ crypto, ...options })
  for (const entry of entries) auditor.add(entry)
  return auditor.finish()
}

function auditSteps(steps: readonly Step[], options?: Omit<AuditOptions, 'crypto'>): AuditResult {
  return audit(entriesOf(steps), options)
}

function entriesOf(steps: readonly Step[]): readonly Uint8Array[] {
  return sealAll(steps).map(({ entry }) => entry)
}

function check(result: AuditResult, name: string): { status: string; detail: string } {
  const found = result.checks.find((one) => one.name === name)
  if (found === undefined) throw new Error(`no check ${name}`)
  return found
}

describe('an audit of a whole ledger', () => {
  it('passes, and says what was looked at', () => {
    const entries = entriesOf(good)
    const checkpoints = [{ name: 'checkpoint', note: checkpointOf(entries, one) }]
    const result = audit(entries, { identity, checkpoints, pinnedKeys: [one.publicKey] })
    expect(result.verdict).toBe('PASS')
    expect(result.checks.map(({ name, status }) => [name, status])).toEqual([
      ['entries', 'pass'],
      ['chain', 'pass'],
      ['opening', 'pass'],
      ['time', 'pass'],
      ['keys', 'pass'],
      ['signatures', 'pass'],
      ['key_pinned', 'pass'],
      ['policy_order', 'pass'],
      ['checkpoint', 'pass'],
      ['receipts', 'not_applicable'],
      ['outcomes', 'pass'],
    ])
    expect(result.counts).toEqual({
      entries: 6,
      scopes: 3,
      kinds: { key: 1, activation: 2, decision: 3 },
      unresolved: 0,
    })
    const [, size, root] = new TextDecoder().decode(checkpoints[0]?.note).split('\n')
    expect(result.tree).toEqual({ size: Number(size), root })
  })

  it('passes an empty one whose checkpoint is of nothing', () => {
    const result = audit([], {
      identity,
      checkpoints: [{ name: 'checkpoint', note: checkpointOf([], one) }],
    })
    expect(result.verdict).toBe('PASS')
    expect(check(result, 'checkpoint').status).toBe('not_applicable')
  })

  it('names the pin as not applicable without one, and says which key the ledger has', () => {
    const pinned = check(auditSteps(good), 'key_pinned')
    expect(pinned.status).toBe('not_applicable')
    expect(pinned.detail).toContain(Buffer.from(one.publicKey).toString('hex'))
  })

  it('places the first failure of a check and counts the others', () => {
    const [first, ...rest] = entriesOf(good)
    const result = audit([first, ...rest.slice(1), ...rest].filter((entry) => entry !== undefined))
    expect(result.verdict).toBe('FAIL')
    expect(check(result, 'chain').detail).toBe(
      'log index 1, acme/prod seq 2: follows seq 0 (and 2 more)',
    )
  })
})

describe('an audit that checks signatures beside the event loop', () => {
  const entries = entriesOf(good)
  // The second and the fifth are signed by somebody else in the key's name.
  const forged = entriesOf(
    good.map((step, i) => (i === 2 || i === 4 ? { ...step, by: pretender } : step)),
  )

  async function auditLater(all: readonly Uint8Array[]): Promise<AuditResult> {
    const auditor = createAudit({ crypto, identity, parallel: true })
    for (const entry of all) auditor.add(entry)
    await auditor.settled()
    return auditor.finish()
  }

  it('finds what one finds that checks them at once, in the same words', async () => {
    expect(await auditLater(entries)).toEqual(audit(entries))
    expect(check(audit(forged), 'signatures')).toMatchObject({ status: 'fail' })
    expect(await auditLater(forged)).toEqual(audit(forged))
  })

  it('does not pass while one is not known', async () => {
    const auditor = createAudit({ crypto, identity, parallel: true })
    for (const entry of entries) auditor.add(entry)
    expect(auditor.pending).toBe(entries.length)
    const result = auditor.finish()
    expect(result.verdict).toBe('FAIL')
    expect(check(result, 'signatures').detail).toBe(`${entries.length} were not waited for`)
    await auditor.settled()
  })
})

describe('the chain', () => {
  it('must have no gap in a scope', () => {
    const entries = entriesOf(good)
    const result = audit(entries.filter((_, i) => i !== 2))
    expect(check(result, 'chain')).toMatchObject({
      status: 'fail',
      detail: 'log index 3, acme/prod seq 3: follows seq 1',
    })
  })

  it('must name the entry before: a rewritten one is noticed by the one after it', () => {
    const [, , forged] = sealAll([
      ...good.slice(0, 2),
      { by: one, draft: decision(acme, 3), at: 2_000 },
    ])
    const result = audit(entriesOf(good).with(2, forged?.entry ?? new Uint8Array()))
    expect(check(result, 'chain').detail).toContain('log index 4, acme/prod seq 3: prev is not')
  })

  it('must be of one ledger', () => {
    const foreign = sealAll(good, { ...identity, ledgerId: '00'.repeat(16) })
    const entries = [...entriesOf(good)]
    entries[3] = foreign[3]?.entry ?? new Uint8Array()
    expect(check(audit(entries), 'chain').detail).toContain(
      'log index 3, acme/test seq 1: is of ledger 00',
    )
  })

  it('must open in the ledger that was asked about', () => {
    const result = auditSteps(good, { identity: { ...identity, origin: 'elsewhere' } })
    expect(check(result, 'opening')).toMatchObject({ status: 'fail' })
    expect(check(auditSteps(good, {}), 'opening').status).toBe('not_applicable')
  })

  it('takes the origin from a checkpoint when nobody said it', () => {
    const entries = entriesOf(good)
    const checkpoints = [{ name: 'checkpoint', note: checkpointOf(entries, one) }]
    const result = audit(entries, { checkpoints })
    expect(result.verdict).toBe('PASS')
    expect(check(result, 'opening').status).toBe('pass')
  })
})

describe('time', () => {
  it('must not fall, not even between scopes', () => {
    const late = sealAll(good.slice(0, 3).map((step) => ({ ...step, at: 9_000 })))
    // The first receipt of a scope follows no other, so nothing but time can tell.
    const early = sealAll([{ by: one, draft: decision(other, null), at: 1 }])
    const result = audit([...late, ...early].map(({ entry }) => entry))
    expect(check(result, 'time').status).toBe('fail')
    expect(check(result, 'chain').status).toBe('pass')
  })
})

describe('keys', () => {
  it('must begin with the first key’s own receipt', () => {
    const result = auditSteps(by(one, decision(acme, null), began(one)))
    expect(check(result, 'keys').detail).toContain('log index 0')
    expect(check(result, 'signatures').detail).toContain('no key has begun')
  })

  it('a key must sign its own beginning', () => {
    const result = auditSteps([{ by: two, draft: began(one) }])
    expect(check(result, 'keys').detail).toContain('did not sign its own beginning')
  })

  it('a key that begins unendorsed is a warning, and fails when only the first is pinned', () => {
    const steps = [...good, ...by(two, began(two, false), decision(acme, 4))]
    const result = auditSteps(steps)
    expect(result.verdict).toBe('PASS')
    expect(check(result, 'keys').detail).toContain('warning: the key before did not vouch for it')
    const pinned = (...keys: (typeof one)[]) =>
      auditSteps(steps, { identity, pinnedKeys: keys.map((key) => key.publicKey) })
    expect(check(pinned(one), 'key_pinned').status).toBe('fail')
    expect(check(pinned(two), 'key_pinned').status).toBe('fail')
    expect(pinned(one, two).verdict).toBe('PASS')
  })

  it('a key that the one before named needs no pin of its own', () => {
    const steps = [...good, ...by(one, ended(two)), ...by(two, began(two), decision(acme, 4))]
    const result = auditSteps(steps, { identity, pinnedKeys: [one.publicKey] })
    expect(result.verdict).toBe('PASS')
    expect(check(result, 'keys').detail).not.toContain('warning')
  })

  it('no key may claim an endorsement that it has not', () => {
    const result = auditSteps([...good, ...by(two, began(two))])
    expect(check(result, 'keys').detail).toContain('says that the key before vouched for it')
  })

  it('only the key of its time signs', () => {
    const late = auditSteps([...good, ...by(two, began(two, false)), ...by(one, decision(acme, 4))])
    expect(check(late, 'signatures').detail).toContain(`signed by ${one.keyId} in the time of`)
    const early = auditSteps([...good, ...by(two, decision(acme, 4))])
    expect(check(early, 'signatures').status).toBe('fail')
  })

  it('keeps key receipts and others apart by scope', () => {
    const astray = { ...began(one), scope: acme }
    expect(check(auditSteps(by(one, astray)), 'keys').status).toBe('fail')
    const intruder = decision({ tenantId: 'helm', workspaceId: 'system' }, null)
    expect(check(auditSteps(by(one, began(one), intruder)), 'keys').status).toBe('fail')
  })
})

describe('the order of policies', () => {
  const order = (...drafts: readonly Step['draft'][]) =>
    check(auditSteps(by(one, began(one), ...drafts)), 'policy_order')

  it('follows activations, signed after unsigned, each scope by itself', () => {
    const fine = order(
      activation(acme, 9, false),
      decision(acme, 9, false),
      activation(acme, 2),
      decision(acme, 2),
      activation(acme, 3),
      activation(other, 1, false),
      decision(acme, 3),
    )
    expect(fine.status).toBe('pass')
  })

  it.each([
    [
      'an epoch that falls',
      [activation(acme, 3), activation(acme, 2)],
      'activates epoch 2 after 3',
    ],
    [
      'two policies of one epoch',
      [activation(acme, 3), activation(acme, 3, true, '2')],
      'activates another policy of epoch 3',
    ],
    [
      'unsigned policy after signed',
      [activation(acme, 3), activation(acme, 4, false)],
      'unsigned policy, after signed',
    ],
    [
      'a decision of older policy',
      [activation(acme, 3), activation(acme, 4), decision(acme, 3)],
      'was decided by epoch 3, after 4',
    ],
    [
      'an unsigned decision after signed policy',
      [activation(acme, 3), decision(acme, 3, false)],
      'unsigned policy, after signed',
    ],
    ['a decision of policy that never was active', [decision(acme, 3)], 'never active'],
    [
      'a decision of other bytes',
      [activation(acme, 3), decision(acme, 3, true, '2')],
      'was not active',
    ],
  ])('refuses %s', (_name, drafts, detail) => {
    expect(order(...drafts)).toMatchObject({ status: 'fail' })
    expect(order(...drafts).detail).toContain(detail)
  })
})

describe('what somebody holds', () => {
  const entries = entriesOf(good)
  const ids = sealAll(good).map(({ receiptId }) => receiptId)
  const held = (note: Uint8Array, of: readonly Uint8Array[] = entries) =>
    check(audit(of, { identity, checkpoints: [{ name: 'mine', note }] }), 'mine')

  it('an old checkpoint is as good as a new one', () => {
    for (let size = 1; size <= entries.length; size++) {
      expect(held(checkpointOf(entries.slice(0, size), one))).toMatchObject({ status: 'pass' })
    }
  })

  it('a checkpoint beyond the log means that entries are missing', () => {
    const { status, detail } = held(checkpointOf(entries, one), entries.slice(0, -1))
    expect({ status, detail }).toEqual({
      status: 'fail',
      detail: 'is of 6 entries, the log has 5: entries are missing',
    })
  })

  it('a checkpoint of other entries fails, though each chain is whole', () => {
    const [first, second, third, fourth, ...rest] = entries
    const swapped = [first, second, fourth, third, ...rest].filter((entry) => entry !== undefined)
    const result = audit(swapped, {
      identity,
      checkpoints: [{ name: 'mine', note: checkpointOf(entries, one) }],
    })
    expect(check(result, 'chain').status).toBe('pass')
    expect(check(result, 'mine').detail).toContain('the root of the first 6 entries is another')
  })

  it('a checkpoint of another key, of another log or of no kind fails', () => {
    expect(held(checkpointOf(entries, two)).status).toBe('fail')
    expect(held(checkpointOf(entries, one, 'elsewhere'))).toMatchObject({ status: 'fail' })
    expect(held(new TextEncoder().encode('no note')).detail).toBe('is no checkpoint')
  })

  it('a held receipt must be in the log', () => {
    const some = ids.slice(1, 3)
    expect(check(audit(entries, { identity, receipts: some }), 'receipts').status).toBe('pass')
    const lost = check(audit(entries.slice(0, 2), { identity, receipts: some }), 'receipts')
    expect(lost.detail).toBe(`${some[1]} is not in the log`)
  })
})
