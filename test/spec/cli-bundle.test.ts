import { statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseSeed, signer } from '@helm-ai-kernel/core'
import { cliBench } from '../support/cli.ts'

const bench = cliBench()
afterAll(bench.remove)

const policy = `rules:
  - id: small
    effect: ALLOW
    actions: [refund.create]
    when: { path: args.amount, op: lte, value: 100 }
  - id: big
    effect: ESCALATE
    actions: [refund.create]
    when:
      all:
        - { path: args.amount, op: exists, value: true }
        - { path: args.amount, op: gt, value: 100 }
tests:
  - name: a large refund needs a person
    request: { principal: 'agent:a', action: refund.create, args: { amount: 500 } }
    expect: { verdict: ESCALATE, rule_id: big }
`

let publicKey: string

beforeAll(async () => {
  bench.write('policy.yaml', policy)
  const made = await bench.json(['keygen', '--out', 'policy.key'])
  publicKey = String(made['public_key'])
  await bench.run(['bundle', 'build', 'policy.yaml', '--out', 'out', '--epoch', '7'])
  await bench.run(['bundle', 'sign', '--key-file', 'policy.key', '--bundle', 'out/policy.bundle'])
})

const verify = (...more: readonly string[]) =>
  bench.run(['bundle', 'verify', 'out/policy.bundle', '--key', publicKey, ...more])

describe('keygen', () => {
  it('writes a seed for its owner alone, and shows only what is public', async () => {
    const { code, stdout } = await bench.run(['keygen', '--out', 'other.key'])
    expect(code).toBe(0)
    const seed = bench.text('other.key').trim()
    expect(statSync(join(bench.folder, 'other.key')).mode & 0o777).toBe(0o600)
    expect(stdout).not.toContain(seed)
    const { keyId, publicKey: key, log } = signer(parseSeed(seed, 'seed'))
    for (const shown of [key, log.publicKey]) {
      expect(stdout).toContain(Buffer.from(shown).toString('hex'))
    }
    expect(stdout).toContain(keyId)
  })

  it('never overwrites a key', async () => {
    const before = bench.text('policy.key')
    const { code, stderr } = await bench.run(['keygen', '--out', 'policy.key'])
    expect(code).toBe(2)
    expect(stderr).toContain('a key is never overwritten')
    expect(bench.text('policy.key')).toBe(before)
  })

  it('shows the seed when no file is named', async () => {
    const { seed, public_key: shown } = await bench.json(['keygen'])
    const made = signer(parseSeed(String(seed), 'seed'))
    expect(shown).toBe(Buffer.from(made.publicKey).toString('hex'))
  })

  it('makes keys for clients, and the digest that the keys file wants', async () => {
    const { key, key_sha256: sha256 } = await bench.json(['keygen', '--api'])
    expect(key).toMatch(/^helm_[0-9a-f]{64}$/)
    expect(sha256).toMatch(/^[0-9a-f]{64}$/)
  })
})

describe('bundle build', () => {
  it('makes the same bytes of the same policy, and says what they are', async () => {
    const one = await bench.json(['bundle', 'build', 'policy.yaml', '--out', 'one'])
    const two = await bench.json(['bundle', 'build', 'policy.yaml', '--out', 'two'])
    expect(bench.text('one/policy.bundle')).toBe(bench.text('two/policy.bundle'))
    expect(one['policy_hash']).toBe(two['policy_hash'])
    expect(one).toMatchObject({ scope: 'default/default', policy_epoch: 1, rules: 2, tests: 1 })
  })

  it('takes scope and epoch from flags, and refuses those that differ from the policy’s own', async () => {
    bench.write('own.yaml', `policy_epoch: 3\n${policy}`)
    const built = await bench.json([
      ...['bundle', 'build', 'own.yaml', '--out', 'own', '--scope', 'acme/prod', '--epoch', '3'],
    ])
    expect(built).toMatchObject({ scope: 'acme/prod', policy_epoch: 3 })
    const { code, stderr } = await bench.run(['bundle', 'build', 'own.yaml', '--epoch', '4'])
    expect(code).toBe(2)
    expect(stderr).toContain('own.yaml has another policy_epoch than the flag: remove one of them')
  })

  it('warns of rules that say less than they seem to, and builds', async () => {
    bench.write(
      'loose.yaml',
      `rules:
  - { id: a, effect: DENY, actions: [x], when: { path: args.n, op: gt, value: 1 } }
  - { id: b, effect: ALLOW, actions: [x], when: { path: context.team, op: eq, value: ops } }
`,
    )
    const { code, stderr } = await bench.run(['bundle', 'build', 'loose.yaml', '--out', 'loose'])
    expect(code).toBe(0)
    expect(stderr).toContain('warning: rule a, when: without args.n this is an error')
    expect(stderr).toContain('warning: rule b, when: context.team is what the caller says')
    expect((await bench.run(['bundle', 'build', 'policy.yaml', '--out', 'one'])).stderr).toBe('')
  })

  it('says when a signature beside it is of other bytes now', async () => {
    await bench.run(['bundle', 'build', 'policy.yaml', '--out', 'again'])
    await bench.run([
      'bundle',
      'sign',
      '--key-file',
      'policy.key',
      '--bundle',
      'again/policy.bundle',
    ])
    const same = await bench.run(['bundle', 'build', 'policy.yaml', '--out', 'again'])
    expect(same.stderr).toBe('')
    const other = await bench.run([
      'bundle',
      'build',
      'policy.yaml',
      '--out',
      'again',
      '--epoch',
      '2',
    ])
    expect(other.stderr).toContain('policy.bundle.sig is of other bytes: run bundle sign')
  })
})

describe('bundle sign', () => {
  it('writes one line of hex, the same each time', async () => {
    const first = bench.text('out/policy.bundle.sig')
    expect(first).toMatch(/^[0-9a-f]{128}\n$/)
    await bench.run(['bundle', 'sign', '--key-file', 'policy.key', '--bundle', 'out/policy.bundle'])
    expect(bench.text('out/policy.bundle.sig')).toBe(first)
  })

  it('reads the seed from stdin when the file is -', async () => {
    const first = bench.text('out/policy.bundle.sig')
    const args = ['bundle', 'sign', '--key-file', '-', '--bundle', 'out/policy.bundle']
    expect((await bench.run(args, { stdin: bench.text('policy.key') })).code).toBe(0)
    expect(bench.text('out/policy.bundle.sig')).toBe(first)
  })

  it('makes a list with --append, and satisfies a threshold of two', async () => {
    await bench.run(['bundle', 'build', 'policy.yaml', '--out', 'two'])
    const keys = []
    for (const name of ['a.key', 'b.key']) {
      const { key_id: id, public_key: key } = await bench.json(['keygen', '--out', name])
      keys.push({ key_id: id, public_key: key, scopes: ['*'] })
      const args = [
        'bundle',
        'sign',
        '--append',
        '--key-file',
        name,
        '--bundle',
        'two/policy.bundle',
      ]
      expect((await bench.json(args))['signatures']).toBe(keys.length)
      expect((await bench.json(args))['signatures']).toBe(keys.length)
    }
    const root = { type: 'helm.trust-root/v1', version: 1, threshold: 2, keys }
    bench.write('trust.json', JSON.stringify(root))
    const args = ['bundle', 'verify', 'two/policy.bundle', '--trust-root', 'trust.json']
    expect((await bench.run(args)).code).toBe(0)
    const signatures = JSON.parse(bench.text('two/policy.bundle.sig')) as readonly unknown[]
    bench.write('one.sig', JSON.stringify(signatures.slice(1)))
    const { code, stdout } = await bench.run([...args, '--sig', 'one.sig'])
    expect(code).toBe(1)
    expect(stdout).toContain('THRESHOLD_NOT_MET')
  })

  it('adds to no signature that names no key', async () => {
    const { code, stderr } = await bench.run([
      ...[
        'bundle',
        'sign',
        '--append',
        '--key-file',
        'policy.key',
        '--bundle',
        'out/policy.bundle',
      ],
    ])
    expect(code).toBe(2)
    expect(stderr).toContain('remove it and sign with --append by each key')
  })

  it('signs nothing that is no bundle', async () => {
    bench.write('letter.txt', 'DSSEv1 I owe you')
    const args = ['bundle', 'sign', '--key-file', 'policy.key', '--bundle', 'letter.txt']
    const { code } = await bench.run(args)
    expect(code).toBe(2)
    expect(() => bench.read('letter.txt.sig')).toThrow()
  })
})

describe('bundle verify', () => {
  it('passes what was built and signed, step by step', async () => {
    const { code, stdout } = await verify()
    expect(code).toBe(0)
    expect(stdout.split('\n').map((line) => line.split(/\s+/).slice(0, 2).join(' '))).toEqual([
      'pass signature',
      'pass form',
      'pass content',
      'pass compile',
      'pass tests',
      '',
      'PASS',
      '',
    ])
  })

  it('refuses any changed byte of the bundle or of the signature, with the reason code', async () => {
    for (const name of ['out/policy.bundle', 'out/policy.bundle.sig']) {
      const good = bench.read(name)
      for (let at = 0; at < good.length - 1; at += 23) {
        bench.write(name, good.with(at, (good[at] ?? 0) ^ 1))
        const { code, stdout } = await verify()
        expect(code, `${name} byte ${at}`).toBe(1)
        expect(stdout).toContain('SIGNATURE_INVALID')
        expect(stdout).toContain('FAIL')
      }
      bench.write(name, good)
    }
    expect((await verify()).code).toBe(0)
  })

  it('says which step refused, and that those after it were not reached', async () => {
    const { public_key: stranger } = await bench.json(['keygen'])
    const result = await bench.json([
      'bundle',
      'verify',
      'out/policy.bundle',
      '--key',
      String(stranger),
    ])
    expect(result).toMatchObject({
      verdict: 'FAIL',
      checks: [
        { name: 'signature', status: 'fail', code: 'SIGNATURE_INVALID' },
        { name: 'form', status: 'not_applicable', detail: 'not reached' },
        { name: 'content', status: 'not_applicable' },
        { name: 'compile', status: 'not_applicable' },
        { name: 'tests', status: 'not_applicable' },
      ],
    })
  })

  it.each([
    ['scope', ['--scope', 'acme/prod'], 'SCOPE_MISMATCH'],
    ['audience', ['--audience', 'prod-eu'], 'AUDIENCE_MISMATCH'],
  ])('refuses another %s', async (_name, flags, reason) => {
    const { code, stdout } = await verify(...flags)
    expect(code).toBe(1)
    expect(stdout).toContain(reason)
  })

  it.each([
    ['an expired one', 'expires_at: "2020-01-01T00:00:00.000Z"', 'BUNDLE_EXPIRED'],
    ['one that is not valid yet', 'issued_at: "2999-01-01T00:00:00.000Z"', 'NOT_YET_VALID'],
    ['one whose own test fails', '', 'SELF_TEST_FAILED'],
  ])('refuses %s', async (_name, line, reason) => {
    const text =
      line === '' ? policy.replace('verdict: ESCALATE', 'verdict: ALLOW') : `${line}\n${policy}`
    bench.write('late.yaml', text)
    expect((await bench.run(['bundle', 'build', 'late.yaml', '--out', 'late'])).code).toBe(0)
    await bench.run([
      'bundle',
      'sign',
      '--key-file',
      'policy.key',
      '--bundle',
      'late/policy.bundle',
    ])
    const { code, stdout } = await bench.run([
      'bundle',
      'verify',
      'late/policy.bundle',
      '--key',
      publicKey,
    ])
    expect(code).toBe(1)
    expect(stdout).toContain(reason)
  })

  it('refuses what nobody signed', async () => {
    await bench.run(['bundle', 'build', 'policy.yaml', '--out', 'bare'])
    const { code, stdout } = await bench.run([
      'bundle',
      'verify',
      'bare/policy.bundle',
      '--key',
      publicKey,
    ])
    expect(code).toBe(1)
    expect(stdout).toContain('SIGNATURE_MISSING')
  })
})

describe('bundle inspect and test', () => {
  it('inspect shows rules and times, and that nothing is verified', async () => {
    const { stdout } = await bench.run(['bundle', 'inspect', 'out/policy.bundle'])
    expect(stdout).toContain('policy_epoch  7')
    expect(stdout).toMatch(/ALLOW\s+small\s+refund.create on \* by \*/)
    expect(stdout).toContain('nothing here is verified')
    expect(await bench.json(['bundle', 'inspect', 'policy.yaml'])).toMatchObject({
      verified: false,
    })
  })

  it('test runs the tests of a policy or a bundle; one that fails is exit code 1', async () => {
    for (const file of ['policy.yaml', 'out/policy.bundle']) {
      const { code, stdout } = await bench.run(['bundle', 'test', file])
      expect(code).toBe(0)
      expect(stdout).toContain('pass a large refund needs a person')
    }
    bench.write('wrong.yaml', policy.replace('verdict: ESCALATE', 'verdict: DENY'))
    const { code, stdout } = await bench.run(['bundle', 'test', 'wrong.yaml'])
    expect(code).toBe(1)
    expect(stdout).toContain('fail a large refund needs a person: expected DENY, decided ESCALATE')
  })
})

describe('explain', () => {
  const ask = (...more: readonly string[]) =>
    bench.run(['explain', 'policy.yaml', '--principal', 'agent:a', '--action', ...more])

  it('says the verdict, each rule that was asked, and what its condition said', async () => {
    const { code, stdout } = await ask('refund.create', '--args', '{"amount":500}')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^ESCALATE ESCALATED_BY_RULE/)
    expect(stdout).toMatch(/ESCALATE\s+big\s+matches\s+condition true/)
    expect(stdout).toMatch(/ALLOW\s+small\s+does not match\s+condition false/)
  })

  it('shows errors of conditions, and no rule whose patterns do not fit', async () => {
    const missing = await ask('refund.create')
    expect(missing.stdout).toMatch(/^DENY CONDITION_ERROR/)
    expect(missing.stdout).toMatch(/ALLOW\s+small\s+does not match\s+condition error/)
    const none = await ask('other')
    expect(none.stdout).toMatch(/^DENY NO_MATCHING_RULE/)
    expect(none.stdout).toContain('no rule has patterns that fit')
  })

  it('reads arguments from a file and from stdin', async () => {
    bench.write('args.json', '{"amount":500}')
    const fromFile = await ask('refund.create', '--args', '@args.json')
    expect(fromFile.stdout).toMatch(/^ESCALATE/)
    const args = [
      'explain',
      'policy.yaml',
      '--principal',
      'a',
      '--action',
      'refund.create',
      '--args',
      '@-',
    ]
    expect((await bench.run(args, { stdin: '{"amount":5}' })).stdout).toMatch(/^ALLOW/)
  })
})
