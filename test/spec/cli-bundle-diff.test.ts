import type { Json } from '@helm-ai-kernel/core'
import { encodeBundle } from '@helm-ai-kernel/core/bundle'
import { afterAll, describe, expect, it } from 'vitest'
import { cliBench } from '../support/cli.ts'
import { scope } from '../support/policy.ts'

const bench = cliBench()
afterAll(bench.remove)

const policy = {
  audience: ['eu', 'us'],
  issued_at: '2026-11-22T06:00:00.000Z',
  resources_from: { 'refund.create': 'args.order_id' },
  rules: [
    { id: 'read', effect: 'ALLOW', actions: ['ticket.read', 'ticket.list'] },
    {
      id: 'small',
      effect: 'ALLOW',
      actions: ['refund.create'],
      when: { path: 'args.amount', op: 'lte', value: 100 },
    },
    { id: 'big', effect: 'ESCALATE', actions: ['refund.create'], approval: { by: ['user:*'] } },
  ],
  tests: [
    {
      name: 'a small refund',
      request: {
        principal: 'agent:a',
        action: 'refund.create',
        args: { amount: 80, order_id: 'order:1' },
      },
      expect: { verdict: 'ESCALATE' },
    },
    {
      name: 'reading',
      request: { principal: 'agent:a', action: 'ticket.read' },
      expect: { verdict: 'ALLOW' },
    },
  ],
  metadata: { name: 'support desk' },
} as const

/** Writes a policy as people do, or, with an epoch, as a bundle. */
function write(name: string, content: Json | object, policyEpoch?: number): string {
  const bytes =
    policyEpoch === undefined
      ? JSON.stringify(content)
      : encodeBundle(content as Json, { scope, policyEpoch })
  bench.write(name, bytes)
  return name
}

async function diff(before: object, after: object) {
  const names = [write('old.bundle', before, 1), write('new.bundle', after, 1)]
  const { code, stdout, stderr } = await bench.run(['bundle', 'diff', ...names])
  return { code, stderr, lines: stdout === '' ? [] : stdout.trimEnd().split('\n') }
}

const withRules = (...rules: readonly object[]) => ({ ...policy, rules })
const [read, small, big] = policy.rules

describe('bundle diff', () => {
  it('says nothing and exits with 0 when the two say the same', async () => {
    expect(await diff(policy, policy)).toEqual({ code: 0, lines: [], stderr: '' })
  })

  it('gives no meaning to the order of rules, patterns, audiences and tests', async () => {
    const shuffled = {
      ...policy,
      audience: ['us', 'eu', 'us'],
      rules: [big, { ...read, actions: read.actions.toReversed() }, small],
      tests: policy.tests.toReversed(),
    }
    expect(await diff(policy, shuffled)).toEqual({
      code: 0,
      lines: [],
      stderr: 'the bytes differ, but not in what they say\n',
    })
  })

  it('shows what is said beside the rules, and what comes of it', async () => {
    const { metadata: _metadata, ...rest } = policy
    const after = {
      ...rest,
      scope: { tenant_id: 'acme', workspace_id: 'prod' },
      policy_epoch: 2,
      audience: ['eu', 'ap'],
      expires_at: '2026-12-22T06:00:00.000Z',
      resources_from: { 'refund.create': 'args.id', 'ticket.read': 'args.ticket' },
    }
    expect(await diff(policy, after)).toMatchObject({
      code: 1,
      lines: [
        '~ audience +"ap" -"us"',
        '~ expires_at none → "2026-12-22T06:00:00.000Z"',
        '~ metadata.name "support desk" → none',
        '~ policy_epoch 1 → 2',
        '~ resources_from.refund.create "args.order_id" → "args.id"',
        '~ resources_from.ticket.read none → "args.ticket"',
        '~ scope "default/default" → "acme/prod"',
        '~ decision of test "a small refund": ESCALATE ESCALATED_BY_RULE big → DENY CONDITION_ERROR',
        '~ decision of test "reading": ALLOW ALLOWED_BY_RULE read → DENY CONDITION_ERROR',
      ],
    })
  })

  it('shows the rules that came, went and changed, and in which members', async () => {
    const { tests: _tests, ...untested } = policy
    const after = {
      ...untested,
      rules: [
        { ...small, when: { path: 'args.amount', op: 'lte', value: 50 }, reason: 'small enough' },
        { ...big, approval: { by: ['user:*', 'team:*'], count: 2 } },
        { id: 'none', effect: 'DENY', actions: ['*'], resources: ['secret:*'] },
      ],
    }
    expect(await diff(untested, after)).toMatchObject({
      code: 1,
      lines: [
        '- rule read: ALLOW ticket.read ticket.list on * by *',
        '+ rule none: DENY * on secret:* by *',
        '~ rule big: approval.by +"team:*"; approval.count none → 2',
        '~ rule small: reason none → "small enough"; ' +
          'when {"op":"lte","path":"args.amount","value":100} → ' +
          '{"op":"lte","path":"args.amount","value":50}',
      ],
    })
  })

  it('shows of long lists the first that came and went', async () => {
    const actions = Array.from({ length: 20 }, (_, i) => `tool.${i + 10}`)
    const { lines } = await diff(withRules(read), withRules({ ...read, actions }))
    expect(lines[0]).toMatch(/^~ rule read: actions \+"tool.10" .* \+"tool.25" and 6 more$/)
  })

  it('shows of long values where they begin to differ', async () => {
    const any = (last: string) => ({
      any: [...Array<string>(30).fill('same'), last].map((value) => ({
        path: 'args.kind',
        op: 'eq',
        value,
      })),
    })
    const { lines } = await diff(
      withRules(read, { ...small, when: any('old') }),
      withRules(read, { ...small, when: any('new') }),
    )
    const [line = ''] = lines.filter((one) => one.startsWith('~ rule small'))
    expect(line).toMatch(/^~ rule small: when ….*"old".* → ….*"new"/)
    expect(line.length).toBeLessThan(200)
  })

  it('decides the tests of both by both, and shows every other decision', async () => {
    const [refund, reading] = policy.tests
    const before = { ...policy, tests: [refund] }
    const after = {
      ...policy,
      rules: [read, small],
      tests: [
        { ...refund, expect: { verdict: 'ALLOW' } },
        reading,
        {
          ...reading,
          name: 'a large refund',
          request: { ...refund.request, args: { amount: 500, order_id: 'order:1' } },
        },
      ],
    }
    expect(await diff(before, after)).toMatchObject({
      code: 1,
      lines: [
        '- rule big: ESCALATE refund.create on * by *',
        '+ test "a large refund"',
        '+ test "reading"',
        '~ test "a small refund": expect.verdict "ESCALATE" → "ALLOW"',
        '~ decision of test "a large refund": ESCALATE ESCALATED_BY_RULE big → ' +
          'DENY NO_MATCHING_RULE',
        '~ decision of test "a small refund": ESCALATE ESCALATED_BY_RULE big → ' +
          'ALLOW ALLOWED_BY_RULE small',
      ],
    })
  })

  it('shows a decision for another reason, or by another rule, though its verdict is the same', async () => {
    const { lines } = await diff(policy, withRules({ ...read, id: 'reading' }, small, big))
    expect(lines).toContain(
      '~ decision of test "reading": ALLOW ALLOWED_BY_RULE read → ALLOW ALLOWED_BY_RULE reading',
    )
  })

  it('compares tests of one name one by one', async () => {
    const [refund] = policy.tests
    const other = { ...refund, expect: { verdict: 'DENY' } }
    const numbered = { ...refund, name: 'a small refund (2)' }
    const before = { ...policy, tests: [refund, other, numbered] }
    expect((await diff(before, { ...before, tests: before.tests.toReversed() })).code).toBe(0)
    for (const gone of before.tests) {
      const tests = before.tests.filter((test) => test !== gone)
      expect((await diff(before, { ...policy, tests })).code).toBe(1)
    }
  })

  it('takes from a bundle what the policy as people write it leaves out', async () => {
    const bundle = write('seven.bundle', policy, 7)
    const authored = write('policy.json', policy)
    expect((await bench.run(['bundle', 'diff', bundle, authored])).code).toBe(0)
    expect((await bench.run(['bundle', 'diff', authored, bundle])).code).toBe(0)
    expect((await bench.run(['bundle', 'diff', authored, authored])).code).toBe(0)
    const own = write('own.json', { ...policy, policy_epoch: 8 })
    const { code, stdout } = await bench.run(['bundle', 'diff', bundle, own])
    expect([code, stdout]).toEqual([1, '~ policy_epoch 7 → 8\n'])
  })

  it('answers with one document that holds the values in full', async () => {
    const names = [write('old.bundle', policy, 1), write('new.bundle', withRules(read, small), 2)]
    const document = await bench.json(['bundle', 'diff', ...names])
    expect(document).toMatchObject({
      same: false,
      old: { file: 'old.bundle', scope: 'default/default', policy_epoch: 1, rules: 3, tests: 2 },
      new: { file: 'new.bundle', policy_epoch: 2, rules: 2 },
      members: [{ member: 'policy_epoch', before: 1, after: 2 }],
      rules: { added: [], removed: [big], changed: [] },
      tests: { added: [], removed: [], changed: [] },
      decisions: [
        {
          test: 'a small refund',
          of: 'both',
          before: { verdict: 'ESCALATE', reason_code: 'ESCALATED_BY_RULE', rule_ids: ['big'] },
          after: { verdict: 'ALLOW', reason_code: 'ALLOWED_BY_RULE', rule_ids: ['small'] },
        },
      ],
    })
  })

  it('exits with 2 and says which of the two it cannot use', async () => {
    const good = write('good.bundle', policy, 1)
    bench.write('bad.bundle', '{"rules":[]}')
    bench.write('bad.yaml', 'rules: &x []')
    const malformed = write('malformed.json', { rules: [{ id: 'r' }] })
    for (const bad of ['bad.bundle', 'bad.yaml', malformed, 'missing.bundle']) {
      const { code, stdout, stderr } = await bench.run(['bundle', 'diff', good, bad])
      expect([code, stdout]).toEqual([2, ''])
      expect(stderr.split(bad)).toHaveLength(2)
    }
  })

  it('compares policies of 10,000 rules', async () => {
    const rules = Array.from({ length: 10_000 }, (_, i) => ({
      id: `r${i}`,
      effect: 'ALLOW',
      actions: [`tool.${i}`],
      when: { path: 'args.n', op: 'eq', value: i },
    }))
    const after = rules.with(5_000, { ...rules[0], id: 'r5000', effect: 'DENY' } as never)
    const { code, lines } = await diff({ rules }, { rules: after.toReversed() })
    expect(code).toBe(1)
    expect(lines).toEqual([
      '~ rule r5000: actions +"tool.0" -"tool.5000"; effect "ALLOW" → "DENY"; ' +
        'when {"op":"eq","path":"args.n","value":5000} → {"op":"eq","path":"args.n","value":0}',
    ])
  })
})
