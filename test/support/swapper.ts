import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { workerData } from 'node:worker_threads'

export interface SwapperData {
  readonly folder: string
  /** Files by name, for one generation each, in turn. */
  readonly contents: readonly Readonly<Record<string, Uint8Array>>[]
  readonly swaps: number
  /** Int32: how many looks the reader began, how many swaps are done. */
  readonly shared: SharedArrayBuffer
}

// A thread that swaps generations in a folder as the kubelet does, the old one away at once. Each swap
// waits for the reader to begin a look, and then a little: so it falls into the middle of one.

const swapsInOneLook = 4
const longest = 1

const { folder, contents, swaps, shared } = workerData as SwapperData
const counters = new Int32Array(shared)
const never = new Int32Array(new SharedArrayBuffer(4))

let state = 1
function random(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return state / 2 ** 32
}

for (let swap = 1; swap <= swaps; swap++) {
  const look = Math.ceil(swap / swapsInOneLook)
  for (let begun = 0; begun < look; begun = Atomics.load(counters, 0)) {
    Atomics.wait(counters, 0, begun)
  }
  Atomics.wait(never, 0, 0, random() * longest)
  const generation = join(folder, `..${swap}`)
  mkdirSync(generation)
  for (const [name, content] of Object.entries(contents[swap % contents.length] ?? {})) {
    writeFileSync(join(generation, name), content)
  }
  symlinkSync(`..${swap}`, join(folder, '..data_tmp'))
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
  rmSync(join(folder, `..${swap - 1}`), { recursive: true })
  Atomics.store(counters, 1, swap)
}
