import { EventEmitter } from 'node:events'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { hostClock } from '../../packages/host/src/clock.ts'
import { watchPolicy } from '../../packages/host/src/source/watch.ts'
import { fakeClock } from '../support/clock.ts'
import { kubelet } from '../support/kubelet.ts'

let folder: string
let ended: AbortController
let warnings: string[]

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'helm-watch-'))
  ended = new AbortController()
  warnings = []
})

afterEach(() => {
  ended.abort()
  vi.restoreAllMocks()
  fs.rmSync(folder, { recursive: true })
})

const log = { warn: (message: string) => void warnings.push(message) }

/** The policy folder watched by a watcher that tells what the test says it tells. */
async function watched() {
  const watcher = Object.assign(new EventEmitter(), { close: vi.fn() })
  vi.spyOn(fs, 'watch').mockReturnValue(watcher as unknown as fs.FSWatcher)
  const clock = fakeClock()
  const wake = vi.fn()
  await watchPolicy({ path: folder, clock, log, wake }, ended.signal)
  /** Moves the clock, and lets those that slept do what they slept for. */
  const pass = async (ms: number) => {
    clock.advance(ms)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { watcher, wake, pass, change: () => watcher.emit('change', 'rename', '..data') }
}

it.each(['', 'policy.bundle'])(
  'a change in a policy folder wakes the reconciler, whether the folder or a file is named: %j',
  async (name) => {
    await kubelet(folder, '..1', { 'policy.bundle': 'one' })
    const woken = new Promise<void>((wake) => {
      const path = join(folder, name)
      void watchPolicy({ path, clock: hostClock, log, wake }, ended.signal).then(() =>
        kubelet(folder, '..2', { 'policy.bundle': 'two' }),
      )
    })
    await woken
    expect(warnings).toEqual([])
  },
)

it('all events of one change wake it once, when they are over', async () => {
  const { wake, pass, change } = await watched()
  for (let event = 0; event < 5; event++) {
    change()
    await pass(200)
  }
  expect(wake).not.toHaveBeenCalled()
  await pass(50)
  expect(wake).toHaveBeenCalledOnce()
  await pass(10_000)
  expect(wake).toHaveBeenCalledOnce()
  change()
  await pass(250)
  expect(wake).toHaveBeenCalledTimes(2)
})

it('events without end wake it nevertheless', async () => {
  const { wake, pass, change } = await watched()
  for (let ms = 0; ms < 2_000; ms += 200) {
    expect(wake).not.toHaveBeenCalled()
    change()
    await pass(200)
  }
  expect(wake).toHaveBeenCalledOnce()
})

it('a watcher that fails is told once, and polling goes on without it', async () => {
  const { watcher, wake } = await watched()
  watcher.emit('error', new Error('no more watches'))
  expect(watcher.close).toHaveBeenCalledOnce()
  expect(warnings).toEqual(['policy is not watched, only polled'])
  expect(wake).not.toHaveBeenCalled()
})

it('a folder that is not there is told once, and only polled', async () => {
  const wake = vi.fn()
  const path = join(folder, 'missing')
  await watchPolicy({ path, clock: hostClock, log, wake }, ended.signal)
  expect(warnings).toEqual(['policy is not watched, only polled'])
})

it('the end of the server ends the watcher and what waits to be told', async () => {
  const { watcher, wake, pass, change } = await watched()
  change()
  ended.abort()
  await pass(10_000)
  expect(watcher.close).toHaveBeenCalledOnce()
  expect(wake).not.toHaveBeenCalled()
})
