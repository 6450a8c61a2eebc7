import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cliBench } from '../support/cli.ts'

const bench = cliBench()
afterAll(bench.remove)

beforeAll(async () => {
  await bench.run(['keygen', '--out', 'policy.key'])
  bench.write('policy.yaml', 'rules: [{ id: a, effect: ALLOW, actions: [x] }]\n')
  await bench.run(['bundle', 'build', 'policy.yaml'])
})

const rule = (more: string): string => `rules: [{ id: a, effect: DENY, actions: [x], ${more} }]\n`
const when = (condition: string): string => rule(`when: ${condition}`)

describe('a policy that cannot be built', () => {
  it.each([
    ['an unknown member', 'rules: []\nrulez: []\n', ['BUNDLE_MALFORMED', 'rulez', 'remove it']],
    [
      'an unknown member of a rule',
      rule('prio: 1'),
      ['BUNDLE_MALFORMED', 'rules[0].prio', 'remove it'],
    ],
    [
      'a duplicate key',
      'rules: []\nrules: []\n',
      ['BUNDLE_MALFORMED', 'stands twice', 'line 2, column 1'],
    ],
    ['no YAML', 'rules: [', ['BUNDLE_MALFORMED', 'not YAML 1.2', 'line ']],
    [
      'an alias',
      'rules: &a []\ntests: *a\n',
      ['BUNDLE_MALFORMED', 'no anchors and aliases', 'line 1'],
    ],
    ['a tag', 'rules: !!seq []\n', ['BUNDLE_MALFORMED', 'no tags', 'line 1']],
    ['a wrong type', 'rules: 5\n', ['BUNDLE_MALFORMED', 'rules']],
    [
      'an effect that is none',
      'rules: [{ id: a, effect: allow, actions: [x] }]\n',
      ['BUNDLE_MALFORMED', 'ALLOW, DENY or ESCALATE', 'rules[0].effect'],
    ],
    [
      'a rule without actions',
      'rules: [{ id: a, effect: DENY }]\n',
      ['BUNDLE_MALFORMED', 'needs actions', 'rules[0]'],
    ],
    [
      'two rules of one id',
      `rules: [{ id: a, effect: DENY, actions: [x] }, { id: a, effect: DENY, actions: [x] }]\n`,
      ['BUNDLE_MALFORMED', 'rules[1].id'],
    ],
    [
      'a pattern with a star inside',
      'rules: [{ id: a, effect: DENY, actions: ["a*b"] }]\n',
      ['BUNDLE_MALFORMED', 'rules[0].actions[0]'],
    ],
    [
      'an unknown operator',
      when('{ path: args.n, op: like, value: x }'),
      ['COMPILE_FAILED', 'rule "a"', 'no operator "like"', 'rules[0].when.op'],
    ],
    [
      'an operand of the wrong type',
      when('{ path: args.n, op: lt, value: true }'),
      ['COMPILE_FAILED', 'a number or a text', 'rules[0].when.value'],
    ],
    [
      'an unknown root',
      when('{ path: env.n, op: eq, value: 1 }'),
      ['COMPILE_FAILED', 'not "env"', 'rules[0].when.path'],
    ],
    [
      'CEL that asks for what is not there',
      when('{ cel: "env.n == 1" }'),
      ['COMPILE_FAILED', 'no variable "env"', 'rules[0].when.cel'],
    ],
    [
      'a time that is none',
      'expires_at: tomorrow\nrules: []\n',
      ['BUNDLE_MALFORMED', 'expires_at'],
    ],
    ['an epoch that is none', 'policy_epoch: 0\nrules: []\n', ['BUNDLE_MALFORMED', 'policy_epoch']],
    [
      'the reserved scope',
      'scope: { tenant_id: helm, workspace_id: system }\nrules: []\n',
      ['BUNDLE_MALFORMED', 'reserved', 'scope'],
    ],
  ])('%s: exit code 2, the place, what to do, and nothing written', async (_name, text, parts) => {
    bench.write('bad.yaml', text)
    const { code, stdout, stderr } = await bench.run([
      'bundle',
      'build',
      'bad.yaml',
      '--out',
      'bad',
    ])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    for (const part of parts) expect(stderr).toContain(part)
    expect(stderr).toContain('fix: ')
    expect(() => bench.read('bad/policy.bundle')).toThrow()
  })

  it('in JSON is told the same way', async () => {
    bench.write('bad.json', '{"rules":[],"rules":[]}')
    const { code, stderr } = await bench.run(['bundle', 'build', 'bad.json'])
    expect(code).toBe(2)
    expect(stderr).toContain('BUNDLE_MALFORMED')
  })
})

describe('files and flags that cannot be used', () => {
  it.each([
    [
      'a policy that is not there',
      ['bundle', 'build', 'none.yaml'],
      ['FILE_UNUSABLE', 'none.yaml', 'no such file'],
    ],
    ['a folder for a file', ['bundle', 'inspect', '.'], ['FILE_UNUSABLE', 'a folder: give a file']],
    ['no key file', ['bundle', 'sign'], ['USAGE_INVALID', '--key-file is missing']],
    [
      'a key file that is not there',
      ['bundle', 'sign', '--key-file', 'x.key'],
      ['FILE_UNUSABLE', 'x.key'],
    ],
    [
      'nobody who may sign',
      ['bundle', 'verify', 'policy.bundle'],
      ['USAGE_INVALID', '--key HEX or --trust-root FILE'],
    ],
    [
      'a key of the wrong length',
      ['bundle', 'verify', 'policy.bundle', '--key', 'abc'],
      ['KEY_INVALID', '64 hex digits'],
    ],
    [
      'a weak key',
      ['bundle', 'verify', 'policy.bundle', '--key', `01${'0'.repeat(62)}`],
      ['KEY_INVALID', 'small order', 'keygen'],
    ],
    [
      'a scope that is none',
      ['bundle', 'build', 'policy.yaml', '--scope', 'acme'],
      ['USAGE_INVALID', 'acme/prod'],
    ],
    [
      'an identifier that is none',
      ['bundle', 'build', 'policy.yaml', '--scope', '-a/b'],
      ['IDENTIFIER_INVALID', 'tenant_id'],
    ],
    [
      'an epoch that is none',
      ['bundle', 'build', 'policy.yaml', '--epoch', '-1'],
      ['USAGE_INVALID', 'an integer from 1'],
    ],
    [
      'a request without action',
      ['explain', 'policy.yaml', '--principal', 'a'],
      ['USAGE_INVALID', '--action is missing'],
    ],
    [
      'arguments that are no JSON',
      ['explain', 'policy.yaml', '--principal', 'a', '--action', 'b', '--args', '{'],
      ['REQUEST_MALFORMED', '--args'],
    ],
    [
      'arguments that are no object',
      ['explain', 'policy.yaml', '--principal', 'a', '--action', 'b', '--args', '[]'],
      ['USAGE_INVALID', 'a JSON object'],
    ],
    [
      'a principal with control characters',
      ['explain', 'policy.yaml', '--principal', 'a\u0007', '--action', 'b'],
      ['REQUEST_MALFORMED', 'principal'],
    ],
    [
      'a bundle that is edited',
      ['bundle', 'inspect', 'edited.bundle'],
      ['NOT_CANONICAL', 'newline', 'never edited'],
    ],
    [
      'a ledger that is not there',
      ['ledger', 'verify', '--data-dir', 'nowhere'],
      ['LEDGER_MISSING', '--data-dir'],
    ],
    [
      'a receipt that is none',
      ['ledger', 'verify', '--receipt', 'policy.yaml'],
      ['RECEIPT_MALFORMED', 'policy.yaml'],
    ],
    [
      'a receipt id that is none',
      ['receipts', 'show', 'rcpt-1'],
      ['USAGE_INVALID', '64 lowercase hex'],
    ],
    [
      'a URL that is none',
      ['receipts', 'list', '--url', 'localhost'],
      ['USAGE_INVALID', 'http://'],
    ],
    [
      'a kernel that is not there',
      ['receipts', 'list', '--url', 'http://127.0.0.1:1'],
      ['KERNEL_UNREACHABLE', '--url'],
    ],
  ])('%s: exit code 2 and what to do', async (_name, args, parts) => {
    bench.write('edited.bundle', `${bench.text('policy.bundle')}\n`)
    const { code, stdout, stderr } = await bench.run(args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    for (const part of parts) expect(stderr).toContain(part)
    expect(stderr).not.toMatch(/\bat .*\.ts:\d+/)
  })

  it('a seed that is none is refused and never shown', async () => {
    bench.write('short.key', 'abcdef5ec2e7')
    const { code, stderr } = await bench.run(['bundle', 'sign', '--key-file', 'short.key'])
    expect(code).toBe(2)
    expect(stderr).toContain('the seed in short.key must be 64 hex digits')
    expect(stderr).not.toContain('5ec2e7')
  })

  it.each([
    [
      'an unknown member',
      '{"type":"helm.trust-root/v1","version":1,"threshold":1,"keys":[],"x":1}',
      'TRUST_ROOT_INVALID',
    ],
    ['no JSON', 'keys: []', 'TRUST_ROOT_INVALID'],
  ])('a trust root with %s', async (_name, text, reason) => {
    bench.write('trust.json', text)
    const { code, stderr } = await bench.run([
      'bundle',
      'verify',
      'policy.bundle',
      '--trust-root',
      'trust.json',
    ])
    expect(code).toBe(2)
    expect(stderr).toContain(reason)
  })
})
