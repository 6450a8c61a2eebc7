import type { Command } from '../command.ts'
import { type Commands, helpOf } from '../help.ts'
import { usage } from '../parse.ts'
import { answer } from '../print.ts'

export function help(commands: () => Commands): Command {
  return {
    summary: 'list the commands, or explain one',
    usage: '[command]',
    example: 'help bundle build',
    flags: {},
    operands: [0, 2],
    async run(given, io) {
      const lines = helpOf(commands(), given.operands)
      if (lines === undefined)
        throw usage('help', `there is no command ${given.operands.join(' ')}`)
      return answer(io, given, { help: lines.join('\n') }, lines)
    },
  }
}
