import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  type Answer,
  KernelError,
  memoryStore,
  type ReceiptStore,
  type RequestInput,
} from '@helm-ai-kernel/core'
import { decodeEntry, saltedHash } from '@helm-ai-kernel/core/receipt'
import { nodeCrypto } from '../../packages/host/src/node-crypto.ts'
import { bearer, keys, post, problemOf, testApp } from '../support/http.ts'
import { testKernel } from '../support/kernel.ts'

describe('an evaluation', () => {
  test('is 200 for every verdict, and the answer says which and why', async () => {
    const { call } = await testApp()
    const answers = [
      { action: 'ticket.read' },
      { action: 'ticket.read', resource: 'secret:key' },
      { action: 'refund.create' },
      { action: 'unheard.of' },
    ].map(async (body) => {
      const response = await call('/api/v1/evaluate', post(JSON.stringify(body)))
      const { allow, verdict, reason_code, rule_ids } = (await response.json()) as Record<
        string,
        unknown
      >
      return [response.status, allow, verdict, reason_code, rule_ids]
    })
    expect(await Promise.all(answers)).toEqual([
      [200, true, 'ALLOW', 'ALLOWED_BY_RULE', ['allow-read']],
      [200, false, 'DENY', 'DENIED_BY_RULE', ['no-secrets']],
      [200, false, 'ESCALATE', 'ESCALATED_BY_RULE', ['ask-refund']],
      [200, false, 'DENY', 'NO_MATCHING_RULE', []],
    ])
  })

  test('answers with what its receipt says, and the receipt is stored', async () => {
    const { evaluate, store } = await testApp()
    const answer = await evaluate({ action: 'ticket.read', args: { id: 7 }, session_id: 's-1' })
    const [receipt] = await store.read(Number(answer['log_index']), Number(answer['log_index']) + 1)
    if (receipt?.statement.kind !== 'decision') throw new Error('no receipt')
    const { statement } = receipt
    const { payload } = decodeEntry(receipt.entry)
    expect(answer).toEqual({
      allow: true,
      verdict: 'ALLOW',
      reason_code: 'ALLOWED_BY_RULE',
      reason: answer['reason'],
      rule_ids: ['allow-read'],
      receipt_id: receipt.receiptId,
      decision_id: receipt.receiptId,
      decision_hash: `sha256:${createHash('sha256').update(payload).digest('hex')}`,
      lamport_clock: statement.seq,
      log_index: receipt.logIndex,
      policy_ref: `${statement.policy_hash}@1`,
      policy_epoch: 1,
      policy_hash: statement.policy_hash,
      args_salt: answer['args_salt'],
    })
    const salt = Buffer.from(String(answer['args_salt']), 'hex')
    expect(saltedHash(nodeCrypto, 'args', salt, { id: 7 })).toBe(statement.args_hash)
    expect(statement).toMatchObject({
      surface: 'evaluate',
      auth: { credential: 'agent', method: 'key' },
      principal: 'agent:support',
      session_id: 's-1',
      scope: { tenant_id: 'default', workspace_id: 'default' },
    })
  })

  test('takes tool for action and effect_level for resource', async () => {
    const { evaluate } = await testApp()
    const body = { tool: 'ticket.read', effect_level: 'secret:key' }
    expect(await evaluate(body)).toMatchObject({ verdict: 'DENY', rule_ids: ['no-secrets'] })
    const both = { action: 'ticket.read', tool: 'ticket.read', resource: '', effect_level: '' }
    expect(await evaluate(both)).toMatchObject({ verdict: 'ALLOW' })
  })

  test('takes the session from the header when the body names none', async () => {
    const { call, evaluate } = await testApp()
    await evaluate(
      { action: 'ticket.read' },
      { headers: { 'content-type': 'application/json', 'x-helm-session-id': 's-9' } },
    )
    const list = (await (await call('/api/v1/receipts?session_id=s-9')).json()) as object
    expect(list).toMatchObject({ count: 1 })
  })

  test('is DENY with APPROVAL_UNKNOWN when it names an approval', async () => {
    const { evaluate } = await testApp()
    const body = { action: 'refund.create', approval_id: 'appr-1' }
    expect(await evaluate(body)).toMatchObject({ verdict: 'DENY', reason_code: 'APPROVAL_UNKNOWN' })
  })

  test('without a policy is a DENY that has a receipt and no policy members', async () => {
    const { kernel, store } = testKernel()
    const { evaluate } = await testApp({ kernel, receipts: store })
    expect(await evaluate({ action: 'ticket.read' })).toMatchObject({
      allow: false,
      verdict: 'DENY',
      reason_code: 'POLICY_NOT_READY',
      policy_ref: null,
      policy_epoch: null,
      policy_hash: null,
      receipt_id: expect.stringMatching(/^rcpt-/) as string,
    })
  })

  test('is a DENY without receipt members when the ledger cannot record it', async () => {
    let broken = false
    const memory = memoryStore()
    const store: ReceiptStore = {
      ...memory,
      append: async (drafts, seal) => {
        if (broken) throw new KernelError('LEDGER_FULL', 'no space left')
        return memory.append(drafts, seal)
      },
    }
    const { evaluate } = await testApp({}, { store })
    broken = true
    const answer = await evaluate({ action: 'ticket.read' })
    expect(answer).toMatchObject({ allow: false, verdict: 'DENY', reason_code: 'LEDGER_FULL' })
    for (const name of ['receipt_id', 'decision_id', 'decision_hash', 'lamport_clock', 'log_index'])
      expect(answer).not.toHaveProperty(name)
    expect(answer).not.toHaveProperty('args_salt')
  })

  test('allows nothing without a receipt, whatever the verdict', async () => {
    const { kernel } = await testApp()
    const forgetful = {
      ...kernel,
      decide: async (request: RequestInput): Promise<Answer> => ({
        decision: kernel.evaluate(request),
        receipt: undefined,
        argsSalt: undefined,
      }),
    }
    const { evaluate } = await testApp({ kernel: forgetful })
    const answer = await evaluate({ action: 'ticket.read' })
    expect(answer).toMatchObject({ verdict: 'ALLOW', allow: false })
  })

  test('is of the principal and the scope of its key', async () => {
    const { call, store } = await testApp()
    const body = JSON.stringify({ action: 'ticket.read' })
    const response = await call('/api/v1/evaluate', post(body, bearer(keys.other)))
    const answer = (await response.json()) as Record<string, unknown>
    expect(answer).toMatchObject({ verdict: 'DENY', reason_code: 'POLICY_NOT_READY' })
    const [receipt] = await store.read(Number(answer['log_index']), Number(answer['log_index']) + 1)
    expect(receipt?.statement).toMatchObject({
      principal: 'agent:acme',
      scope: { tenant_id: 'acme', workspace_id: 'prod' },
    })
  })
})

describe('a body that cannot be decided', () => {
  const deep = `${'['.repeat(70)}${']'.repeat(70)}`
  const bad: readonly (readonly [name: string, body: string, phrase: string])[] = [
    ['empty', '', 'line 1'],
    ['not JSON', '{"action"', 'strict JSON'],
    ['a list', '[]', 'must be an object'],
    ['null', 'null', 'must be an object'],
    ['an unknown member', '{"action":"a","principal":"root"}', 'principal'],
    ['a duplicate member', '{"action":"a","action":"b"}', 'action'],
    ['no action', '{"resource":"r"}', 'action'],
    ['an empty action', '{"action":""}', 'action'],
    ['an action that is no string', '{"action":7}', 'must be a string (at action)'],
    ['an action and another tool', '{"action":"a","tool":"b"}', 'at tool'],
    [
      'a resource and another effect_level',
      '{"action":"a","resource":"r","effect_level":""}',
      'effect_level',
    ],
    ['null for an absent member', '{"action":"a","resource":null}', 'at resource'],
    ['args that are a list', '{"action":"a","args":[]}', 'must be an object (at args)'],
    ['context that is a string', '{"action":"a","context":"x"}', 'at context'],
    ['an epoch that is a string', '{"action":"a","min_policy_epoch":"1"}', 'must be a number'],
    ['an epoch of 0', '{"action":"a","min_policy_epoch":0}', 'min_policy_epoch'],
    ['a control character', '{"action":"a\\u0007"}', 'action'],
    ['a bidirectional override', '{"action":"a","resource":"\\u202egpj"}', 'resource'],
    ['a lone surrogate', '{"action":"a","session_id":"\\ud800"}', 'surrogate'],
    ['a long action', JSON.stringify({ action: 'a'.repeat(257) }), '256 bytes'],
    ['a long resource', JSON.stringify({ action: 'a', resource: 'é'.repeat(1025) }), '2048 bytes'],
    ['an integer beyond 2^53', '{"action":"a","args":{"n":9007199254740993}}', 'line 1'],
    ['deep nesting', `{"action":"a","args":{"x":${deep}}}`, '64'],
    ['__proto__ as a member', '{"__proto__":{"action":"a"}}', '__proto__'],
    ['a byte order mark', '\ufeff{"action":"a"}', 'line 1'],
  ]

  test.each(bad)('%s is 400 and says where', async (_name, body, phrase) => {
    const { call, store } = await testApp()
    const before = (await store.state()).size
    const answer = await problemOf(await call('/api/v1/evaluate', post(body)))
    expect(answer).toMatchObject({ status: 400, code: 'REQUEST_MALFORMED' })
    expect(answer.detail).toContain(phrase)
    expect((await store.state()).size).toBe(before)
  })

  test('bytes that are not UTF-8 are 400', async () => {
    const { call } = await testApp()
    const body = Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)
    expect(await problemOf(await call('/api/v1/evaluate', post(body)))).toMatchObject({
      status: 400,
      code: 'REQUEST_MALFORMED',
    })
  })

  test.each([
    ['x-helm-session-id', { action: 'a', session_id: 's' }, 'session_id'],
    ['x-helm-approval-id', { action: 'a', approval_id: 's' }, 'approval_id'],
    ['idempotency-key', { action: 'a' }, 'Idempotency-Key'],
  ])('a header %s that contradicts it is 400', async (header, body, phrase) => {
    const { call } = await testApp()
    const init = post(JSON.stringify(body), { [header]: 'another' })
    const answer = await problemOf(await call('/api/v1/evaluate', init))
    expect(answer).toMatchObject({ status: 400, code: 'REQUEST_MALFORMED' })
    expect(answer.detail).toContain(phrase)
  })

  test('__proto__ inside args is data and changes no object', async () => {
    const { evaluate } = await testApp()
    const body = '{"action":"ticket.read","args":{"__proto__":{"polluted":true}}}'
    expect(await evaluate(body)).toMatchObject({ verdict: 'ALLOW' })
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  })

  test.each([
    ['no type', {}],
    ['text', { 'content-type': 'text/plain' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['another charset', { 'content-type': 'application/json; charset=utf-16' }],
    ['two types', { 'content-type': 'application/json, text/plain' }],
    ['a compressed body', { 'content-type': 'application/json', 'content-encoding': 'gzip' }],
  ])('%s is 415', async (_name, headers) => {
    const { call } = await testApp()
    const body = new TextEncoder().encode('{"action":"a"}')
    const response = await call('/api/v1/evaluate', { method: 'POST', body, headers })
    expect(await problemOf(response)).toMatchObject({ status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' })
  })

  test.each([
    'application/json',
    'Application/JSON; charset=UTF-8',
    'application/json;charset="utf-8"',
  ])('%s is taken', async (type) => {
    const { evaluate } = await testApp()
    const answer = await evaluate({ action: 'ticket.read' }, { headers: { 'content-type': type } })
    expect(answer).toMatchObject({ verdict: 'ALLOW' })
  })
})
