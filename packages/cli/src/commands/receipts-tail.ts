import process from 'node:process'
import { hostClock } from '@helm-ai-kernel/host'
import type { Command } from '../command.ts'
import { clientFlags } from '../kernel-client.ts'
import { queryOf, receiptFilters } from '../receipt-rows.ts'
import { tailReceipts } from '../receipt-tail.ts'

const name = 'receipts tail'
const signals = ['SIGINT', 'SIGTERM'] as const

const parameters = {
  ...receiptFilters,
  cursor: { value: 'CURSOR', summary: 'begin where a list ended, and not now' },
} as const

export const receiptsTail: Command = {
  summary: 'print receipts as a running kernel records them, until a signal ends it',
  usage: '[flags]',
  example: 'receipts tail --verdict DENY --api-key-file .helm/keys/admin',
  flags: { ...parameters, ...clientFlags },
  operands: [0, 0],
  details: [
    'With --json each line is a JSON document, one a receipt.',
    'A broken connection is made again, and goes on after the last receipt.',
  ],
  async run(given, io) {
    const over = new AbortController()
    const end = (): void => over.abort()
    for (const signal of signals) process.on(signal, end)
    // Whoever read the output went away (`| head`).
    process.stdout.on('error', end)
    try {
      const query = queryOf(given, parameters)
      await tailReceipts(given, io, { name, query, clock: hostClock, cancel: over.signal })
      return 0
    } finally {
      for (const signal of signals) process.off(signal, end)
      process.stdout.off('error', end)
    }
  },
}
