import process from 'node:process'
import { version as kernelVersion } from '@helm-ai-kernel/core'
import type { Command } from '../command.ts'
import { program } from '../help.ts'
import { answer } from '../print.ts'

export const version: Command = {
  summary: 'say which version this is, and what runs it',
  usage: '',
  example: 'version --json',
  flags: {},
  operands: [0, 0],
  async run(given, io) {
    const runtime = runtimeOf(process.versions)
    const document = {
      version: kernelVersion,
      runtime,
      platform: process.platform,
      arch: process.arch,
    }
    return answer(io, given, document, [`${program} ${kernelVersion} on ${runtime}`])
  },
}

/** Deno and Bun say that they are Node, too. */
function runtimeOf(versions: Readonly<Record<string, string | undefined>>): string {
  const name = ['bun', 'deno'].find((one) => versions[one] !== undefined) ?? 'node'
  return `${name} ${versions[name] ?? ''}`
}
