import { hostname } from 'node:os'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { isKernelError } from '@helm-ai-kernel/core'
import { openLedger } from '@helm-ai-kernel/ledger'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { nodeDisk } from '../../packages/host/src/node-disk.ts'
import { socketLock } from '../../packages/host/src/socket-lock.ts'
import { asking, key, sealer } from './ledger.ts'
import { began } from './log-entries.ts'

// A process that asks for so many receipts, four at a time, and says of each by its action whether it
// was recorded or refused. It goes on after a refusal, and closes at the end.

const [root = '', count = '0'] = process.argv.slice(2)
const say = (line: string): void => void process.stdout.write(`${line}\n`)
const clock = {
  now: Date.now,
  monotonic: () => performance.now(),
  sleep: (ms: number) => sleep(ms),
}
try {
  const ledger = await openLedger({
    disk: nodeDisk(root),
    lock: socketLock(root),
    who: { pid: process.pid, host: hostname(), since: new Date().toISOString() },
    clock,
    random: { bytes: (n) => globalThis.crypto.getRandomValues(new Uint8Array(n)) },
    crypto,
    log: key.log,
    checkpointInterval: 5,
  })
  const seal = sealer(ledger.identity, clock)
  for (let asked = 0; asked < Number(count); asked += 4) {
    const { size } = await ledger.state()
    const own = [0, 1, 2, 3].map((i) => `${process.pid}.${asked + i}`)
    await Promise.all(
      own.map(async (action, i) => {
        const drafts = [...(size === 0 && i === 0 ? [began(key)] : []), asking(action)]
        try {
          await ledger.append(drafts, seal)
          say(`recorded ${action}`)
        } catch (error) {
          if (!isKernelError(error)) throw error
          say(`refused ${action} ${error.code}`)
          await sleep(20)
        }
      }),
    )
  }
  await ledger.close()
  say('closed')
} catch (error) {
  if (!isKernelError(error)) throw error
  say(`not opened ${error.code}`)
}
