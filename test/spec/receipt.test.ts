import { createPublicKey, verify } from 'node:crypto'
import {
  canonicalBytes,
  encodeUtf8,
  type Json,
  sealDrafts,
  type Stored,
} from '@helm-ai-kernel/core'
import { decodeEntry, createState } from '@helm-ai-kernel/core/receipt'
import { describe, expect, it } from 'vitest'
import { nobleCrypto } from '@helm-ai-kernel/core'
import { parseStatement } from '../../packages/core/src/receipt/schema.ts'
import { kernelSigner, readyKernel } from '../support/kernel.ts'
import { now, scope } from '../support/policy.ts'

const hex = (n: number): string => 'a'.repeat(n)
const digest = `sha256:${hex(64)}`
const head = {
  type: 'helm.receipt/v1',
  ledger_id: hex(32),
  kernel: '0.5.6',
  key_id: `ed25519:${hex(16)}`,
  scope: { tenant_id: 'default', workspace_id: 'default' },
  seq: 1,
  prev: digest,
  time: '2026-11-22T06:00:00.000Z',
}

/** One good statement of every kind. */
const statements: Readonly<Record<string, Readonly<Record<string, Json>>>> = {
  decision: {
    surface: 'evaluate',
    request_id: hex(32),
    auth: { credential: 'admin', method: 'key' },
    principal: 'p',
    session_id: '',
    action: 'a',
    resource: '',
    args_hash: digest,
    context_hash: digest,
    policy_epoch: 1,
    policy_hash: digest,
    policy_signed: true,
    policy_verified_at: head.time,
    verdict: 'ALLOW',
    reason_code: 'ALLOWED_BY_RULE',
    rule_ids: ['r'],
    links: {},
  },
  outcome: { status: 'ok', output_hash: null, links: { decision: `rcpt-${hex(64)}` } },
  activation: {
    policy_epoch: 1,
    policy_hash: digest,
    signed: false,
    key_ids: [],
    source: 'mountedFile',
    bundle_ref: '',
    previous_epoch: null,
    previous_hash: null,
  },
  rejection: {
    reason_code: 'EPOCH_ROLLBACK',
    desired_epoch: 1,
    desired_hash: digest,
    source: 'mountedFile',
  },
  approval: {
    event: 'requested',
    approval_id: `appr-${hex(64)}`,
    request_digest: digest,
    policy_hash: digest,
    expires_at: head.time,
    principal: 'p',
    credential: 'c',
  },
  tool: { event: 'drifted', server: 's', tool: 't', digest },
  key: {
    event: 'began',
    subject_key_id: head.key_id,
    public_key: hex(64),
    log_public_key: hex(64),
    endorsed: true,
  },
  trust: { digest, version: 1, key_ids: [head.key_id] },
}

describe.each(Object.entries(statements))('a %s statement', (kind, body) => {
  const good: Record<string, Json> = { ...head, kind, ...body }

  it('is read', () => {
    expect(parseStatement(good)).toEqual(good)
  })

  it.each(Object.keys({ ...head, ...body }))('without %s is refused there', (name) => {
    const { [name]: _left, ...rest } = good
    expect(() => parseStatement(rest)).toThrow(expect.objectContaining({ at: name }))
  })

  it.each(Object.keys({ ...head, ...body }))('with another type of %s is refused there', (name) => {
    for (const wrong of [{ no: 1 }, [[1]], -1]) {
      expect(() => parseStatement({ ...good, [name]: wrong })).toThrow(
        expect.objectContaining({ code: 'RECEIPT_MALFORMED', at: name }),
      )
    }
  })

  it('with an unknown member is refused there', () => {
    expect(() => parseStatement({ ...good, extra: 1 })).toThrow(
      expect.objectContaining({ at: 'extra' }),
    )
    expect(() => parseStatement({ ...good, scope: { ...head.scope, x: 1 } })).toThrow(
      expect.objectContaining({ at: 'scope' }),
    )
  })
})

describe('a statement', () => {
  it('of a decision names its policy whole or not at all', () => {
    const none = { policy_epoch: null, policy_hash: null, policy_signed: null }
    const decision = { ...head, kind: 'decision', ...statements['decision'], ...none }
    expect(parseStatement({ ...decision, policy_verified_at: null })).toBeDefined()
    expect(() => parseStatement(decision)).toThrow('at policy_epoch')
  })

  it.each(['', 'constructor', '__proto__', 'decisions'])('of kind %j is refused', (kind) => {
    expect(() => parseStatement({ ...head, kind })).toThrow(expect.objectContaining({ at: 'kind' }))
  })
})

async function decisionReceipt(): Promise<Stored> {
  const { kernel } = await readyKernel()
  const { receipt } = await kernel.decide({ principal: 'p', action: 'ticket.read' })
  if (receipt === undefined) throw new Error('no receipt')
  return receipt
}

describe('an entry', () => {
  it('is a DSSE envelope that others can verify', async () => {
    const { entry, statement } = await decisionReceipt()
    const envelope = JSON.parse(Buffer.from(entry).toString()) as {
      payload: string
      payloadType: string
      signatures: { keyid: string; sig: string }[]
    }
    const payload = Buffer.from(envelope.payload, 'base64')
    const signed = Buffer.concat([
      Buffer.from(
        `DSSEv1 ${envelope.payloadType.length} ${envelope.payloadType} ${payload.length} `,
      ),
      payload,
    ])
    const x = Buffer.from(kernelSigner.publicKey).toString('base64url')
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
    const [signature] = envelope.signatures
    expect(verify(null, signed, key, Buffer.from(signature?.sig ?? '', 'base64'))).toBe(true)
    expect(signature?.keyid).toBe(statement.key_id)
    expect(JSON.parse(payload.toString())).toEqual(statement)
  })

  it('has one encoding: anything else that says the same is refused', async () => {
    const { entry } = await decisionReceipt()
    const text = Buffer.from(entry).toString()
    const envelope = JSON.parse(text) as { payload: string }
    const unpadded = text.replace(/=+"/, '"')
    const spaced = JSON.stringify(JSON.parse(text), null, 1)
    const loose = Buffer.from(
      JSON.stringify(JSON.parse(Buffer.from(envelope.payload, 'base64').toString()), null, 1),
    )
    const others = [
      ` ${text}`,
      `${text}\n`,
      spaced,
      ...(unpadded === text ? [] : [unpadded]),
      text.replace('"payload":', '"payload" :'),
      text.replace('{"payload"', '{"a":1,"payload"'),
      text.replace(envelope.payload, loose.toString('base64')),
      text.replace(/"keyid":"ed25519:./, '"keyid":"ed25519:0'),
      '',
    ]
    for (const other of others.filter((some) => some !== text)) {
      expect(() => decodeEntry(encodeUtf8(other)), other.slice(0, 80)).toThrow(
        expect.objectContaining({ code: 'RECEIPT_MALFORMED' }),
      )
    }
    expect(decodeEntry(entry).statement).toBeDefined()
  })

  it('is refused when it is larger than a tile can count', () => {
    expect(() => decodeEntry(new Uint8Array(65_536))).toThrow(/at most 65535 bytes/)
  })

  it('cannot be changed after it was sealed', async () => {
    const receipt = await decisionReceipt()
    expect(Object.isFrozen(receipt)).toBe(true)
    expect(Object.isFrozen(receipt.statement)).toBe(true)
  })
})

describe('sealing', () => {
  const sealing = {
    crypto: nobleCrypto,
    signer: kernelSigner,
    identity: { ledgerId: hex(32), origin: 'example.test/log' },
    kernel: '0.5.6',
  }
  const draft = {
    scope,
    body: {
      kind: 'rejection',
      reason_code: 'NOT_CANONICAL',
      desired_epoch: null,
      desired_hash: null,
      source: 's',
    },
  } as const

  it('never lets time fall, whatever the clock does', () => {
    const state = createState(sealing.identity)
    const times = [now, now - 5000, now + 1].map((at) => {
      const [sealed] = sealDrafts({ ...sealing, now: at }, state, [draft])
      if (sealed === undefined || 'refused' in sealed) throw new Error('refused')
      state.apply(sealed)
      return sealed.statement.time
    })
    expect(times).toEqual(times.toSorted())
    expect(times[1]).toBe(times[0])
  })

  it('gives a refused draft no place', () => {
    const state = createState(sealing.identity)
    const second = { ...draft }
    const results = sealDrafts(
      { ...sealing, now },
      state,
      [draft, second, draft],
      (_scope, asked) => (asked === second ? 'POLICY_BEHIND' : undefined),
    )
    expect(results[1]).toEqual({ refused: 'POLICY_BEHIND' })
    const places = results.map((sealed) => ('statement' in sealed ? sealed.statement.seq : 0))
    expect(places).toEqual([1, 0, 2])
  })

  it('binds the first receipt of a scope to its ledger and scope', () => {
    const prevOf = (origin: string, tenantId: string): string => {
      const identity = { ...sealing.identity, origin }
      const other = { ...draft, scope: { ...scope, tenantId } }
      const [sealed] = sealDrafts({ ...sealing, identity, now }, createState(identity), [other])
      if (sealed === undefined || 'refused' in sealed) throw new Error('refused')
      return sealed.statement.prev
    }
    const all = [prevOf('a', 'x'), prevOf('b', 'x'), prevOf('a', 'y')]
    expect(new Set(all).size).toBe(3)
  })

  it('refuses a statement that is too large to be read again', () => {
    const body = { ...draft.body, source: 'x'.repeat(48_000) }
    expect(() =>
      sealDrafts({ ...sealing, now }, createState(sealing.identity), [{ scope, body }]),
    ).toThrow(/at most 48000 bytes/)
  })
})

it('canonical bytes of a statement do not depend on the order of its members', () => {
  const reversed = Object.fromEntries(Object.entries(head).toReversed())
  expect(canonicalBytes(reversed)).toEqual(canonicalBytes(head))
})
