import { execFileSync } from 'node:child_process'
import { afterAll, describe, expect, it } from 'vitest'
import type { Command } from '@helm-ai-kernel/cli'
import { version } from '@helm-ai-kernel/core'
import { cliBench } from '../support/cli.ts'

const bench = cliBench()
afterAll(bench.remove)

const commands = [
  'bundle build',
  'bundle inspect',
  'bundle sign',
  'bundle test',
  'bundle verify',
  'completion',
  'explain',
  'health',
  'help',
  'keygen',
  'keys rotate',
  'ledger verify',
  'receipts list',
  'receipts show',
  'replay',
  'version',
]

const hello: Command = {
  summary: 'say hello',
  usage: '[--to NAME]',
  example: 'hello --to you',
  flags: { to: { value: 'NAME', summary: 'whom' }, loud: { summary: 'shout' } },
  operands: [0, 0],
  async run(given, io) {
    io.stdout(`hello ${given.flags.get('to')?.[0] ?? ''}\n`)
    return 0
  },
}

describe('help', () => {
  it('lists every command, and those that the program adds', async () => {
    const { code, stdout } = await bench.run(['--help'], { extra: { hello } })
    expect(code).toBe(0)
    for (const name of [...commands, 'hello']) expect(stdout).toContain(`  ${name} `)
  })

  it.each(commands)('of %s shows its flags and an example', async (name) => {
    const { code, stdout } = await bench.run([...name.split(' '), '--help'])
    expect(code).toBe(0)
    expect(stdout).toContain(`usage: helm-ai-kernel ${name}`)
    expect(stdout).toContain(`example:\n  helm-ai-kernel ${name}`)
    expect(stdout).toContain('--json')
    expect(await bench.run(['help', ...name.split(' ')])).toEqual({ code, stdout, stderr: '' })
  })

  it('lists a group of commands', async () => {
    const { code, stdout } = await bench.run(['bundle', '--help'])
    expect(code).toBe(0)
    expect(stdout).toContain('bundle sign')
    expect(stdout).not.toContain('  keygen')
  })

  it.each([[[]], [['bundle']]])(
    'is what a call without a command, %j, gets on stderr',
    async (args) => {
      const { code, stdout, stderr } = await bench.run(args)
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toContain('usage: helm-ai-kernel')
    },
  )
})

describe('a command line that is wrong', () => {
  it.each([
    [['keygne'], 'did you mean keygen'],
    [['bundle', 'sing'], 'did you mean bundle sign'],
    [['bundel', 'sign'], 'did you mean bundle sign'],
    [['keygen', '--otu', 'x'], 'did you mean --out'],
    [['keygen', '--out'], '--out needs a value: --out FILE'],
    [['keygen', '--out', '--api'], '--out needs a value'],
    [['keygen', '--api=1'], '--api takes no value'],
    [['keygen', '--out', 'a', '--out', 'b'], '--out stands twice'],
    [['keygen', 'stray'], 'too much after its name'],
    [['bundle', 'inspect'], 'something is missing: <policy.bundle>'],
    [['completion', 'tcsh'], 'the shells are bash, zsh, fish'],
  ])('%j is told what to do, with exit code 2', async (args, hint) => {
    const { code, stdout, stderr } = await bench.run(args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^error USAGE_INVALID: /)
    expect(stderr).toContain(hint)
  })

  it('never repeats a value, which may be a secret', async () => {
    const { stderr } = await bench.run(['keygen', '--api-key=helm_5ec2e7', '--seed', 'abc5ec2e7'])
    expect(stderr).toContain('--api-key')
    expect(stderr).not.toContain('5ec2e7')
  })

  it('is one JSON document with --json', async () => {
    const document = await bench.json(['keygen', '--otu', 'x'])
    expect(document).toMatchObject({ error: { code: 'USAGE_INVALID' } })
  })
})

describe('commands of the program itself', () => {
  it('get their flags parsed by their table', async () => {
    const said = await bench.run(['hello', '--to', 'you'], { extra: { hello } })
    expect(said).toEqual({ code: 0, stdout: 'hello you\n', stderr: '' })
    expect((await bench.run(['hello', '--tp', 'you'], { extra: { hello } })).code).toBe(2)
  })

  it('are told without a stack when they fail', async () => {
    const broken: Command = { ...hello, run: () => Promise.reject(new TypeError('x is undefined')) }
    const { code, stderr } = await bench.run(['broken'], { extra: { broken } })
    expect({ code, stderr }).toEqual({ code: 2, stderr: 'error INTERNAL: x is undefined\n' })
  })
})

describe('output', () => {
  const loud: Command = {
    ...hello,
    run: () => Promise.reject(new Error('a\u001b[31mb\u202ec\u0007\nPASS d\u2028')),
  }

  it('shows what cannot be seen, and lets no value begin a line', async () => {
    const { stderr } = await bench.run(['loud'], { extra: { loud } })
    expect(stderr).toBe('error INTERNAL: a\\u001b[31mb\\u202ec\\u0007\n  PASS d\\u2028\n')
  })

  it('is coloured for a person alone, and not when NO_COLOR is set', async () => {
    const coloured = await bench.run(['loud'], { extra: { loud }, isTty: true })
    expect(coloured.stderr).toMatch(/^\u001b\[31merror\u001b\[0m INTERNAL/)
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
      const plain = await bench.run(['loud'], { extra: { loud }, isTty: true, env })
      expect(plain.stderr).toMatch(/^error INTERNAL/)
    }
  })

  it('of version names the version and the runtime', async () => {
    expect(await bench.json(['version'])).toMatchObject({
      version,
      runtime: `node ${process.versions.node}`,
    })
    expect((await bench.run(['--version'])).stdout).toContain(version)
  })
})

describe('completion', () => {
  it('for bash is a script that bash reads, and knows groups, commands and flags', async () => {
    const { stdout } = await bench.run(['completion', 'bash'], { extra: { hello } })
    bench.write('completion.bash', stdout)
    execFileSync('bash', ['-n', 'completion.bash'], { cwd: bench.folder })
    const complete = (...words: readonly string[]): readonly string[] => {
      const line = ['helm-ai-kernel', ...words].map((word) => `'${word}'`).join(' ')
      const script = `. ./completion.bash; COMP_WORDS=(${line}); COMP_CWORD=${words.length}
        _helm_ai_kernel; echo "\${COMPREPLY[@]}"`
      const out = execFileSync('bash', ['-c', script], { cwd: bench.folder, encoding: 'utf8' })
      return out.trim().split(' ')
    }
    expect(complete('he')).toEqual(['health', 'hello', 'help'])
    expect(complete('bundle', 's')).toEqual(['sign'])
    expect(complete('bundle', 'sign', '--')).toEqual([
      '--key-file',
      '--bundle',
      '--append',
      '--help',
      '--json',
    ])
    expect(complete('bundle', 'sign', '')).toEqual([''])
    expect(complete('hello', '--l')).toEqual(['--loud'])
  })

  it.each(['zsh', 'fish'])('for %s names every command and flag', async (shell) => {
    const { code, stdout } = await bench.run(['completion', shell])
    expect(code).toBe(0)
    for (const word of ['ledger', 'verify', 'data-dir', 'keygen']) expect(stdout).toContain(word)
  })
})
