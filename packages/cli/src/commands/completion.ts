import type { Command } from '../command.ts'
import { shells } from '../completion.ts'
import type { Commands } from '../help.ts'
import { usage } from '../parse.ts'
import { answer } from '../print.ts'

const name = 'completion'

export function completion(commands: () => Commands): Command {
  return {
    summary: `print a completion script for ${Object.keys(shells).join(', ')}`,
    usage: '<shell>',
    example: 'completion bash > ~/.local/share/bash-completion/completions/helm-ai-kernel',
    flags: {},
    operands: [1, 1],
    async run(given, io) {
      const [shell = ''] = given.operands
      const script = Object.hasOwn(shells, shell) ? shells[shell]?.(commands()) : undefined
      if (script === undefined) {
        throw usage(name, `the shells are ${Object.keys(shells).join(', ')}`)
      }
      return answer(io, given, { shell, script: script.join('\n') }, script)
    },
  }
}
