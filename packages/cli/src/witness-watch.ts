import { hostname } from 'node:os'
import { basename, dirname, resolve } from 'node:path'
import process from 'node:process'
import {
  type Clock,
  equalBytes,
  type Held,
  KernelError,
  signer,
  timestamp,
} from '@helm-ai-kernel/core'
import { cosignerOf, formatVerifierKey, type Witness } from '@helm-ai-kernel/core/log'
import { nodeCrypto as crypto, socketLock } from '@helm-ai-kernel/host'
import { type Given, valueOf } from './command.ts'
import { readFile } from './files.ts'
import type { Io } from './io.ts'
import { kernelClient } from './kernel-client.ts'
import { logKeysIn } from './log-keys.ts'
import { kernelTiles } from './log-source.ts'
import { usage } from './parse.ts'
import { readSeed } from './seed-file.ts'
import type { Watch } from './witness-round.ts'

const nameForm = /^[A-Za-z0-9][A-Za-z0-9./_-]{0,127}$/

/** What `ledger witness` was told to watch, and the key that its cosignatures are verified with. */
export async function watchIn(
  name: string,
  given: Given,
  io: Io,
): Promise<Watch & { readonly vkey: string }> {
  const keys = logKeysIn(name, given)
  if (keys === undefined) throw usage(name, '--log-key is missing: it says whose checkpoints count')
  const [keyFile, own, state] = [needed('key-file'), needed('name'), needed('state')]
  if (!nameForm.test(own)) throw usage(name, '--name is of A-Z a-z 0-9 . / _ - and has no space')
  if ([state, valueOf(given, 'out')].some((path) => path === keyFile)) {
    throw usage(name, `${keyFile} is the seed of the witness: give --state and --out other files`)
  }
  const logKeys = keys.verifiers.map(({ publicKey }) => publicKey)
  const seed = await readSeed(io, keyFile)
  if (logKeys.some((key) => equalBytes(key, signer(seed, crypto).log.publicKey))) {
    const message = `${keyFile} is the seed of the kernel: a witness has one of its own, by keygen`
    throw new KernelError('KEY_INVALID', message)
  }
  const self: Witness = {
    crypto,
    signer: crypto.signer(seed),
    name: own,
    origin: keys.origin,
    logKeys,
  }
  const path = valueOf(given, 'checkpoint')
  return {
    self,
    tiles: kernelTiles(await kernelClient(name, given, io)),
    state,
    beginning: path === undefined ? undefined : await readFile(io, path),
    out: valueOf(given, 'out'),
    vkey: formatVerifierKey(cosignerOf(self), crypto),
  }

  function needed(flag: string): string {
    const value = valueOf(given, flag)
    if (value === undefined) throw usage(name, `--${flag} is missing`)
    return value
  }
}

/** Two witnesses of one state could each forget what the other has seen. */
export async function lockState(io: Io, state: string, clock: Pick<Clock, 'now'>): Promise<Held> {
  const full = resolve(io.cwd, state)
  const who = { pid: process.pid, host: hostname(), since: timestamp(clock.now()) }
  const held = await socketLock(dirname(full)).acquire(`${basename(full)}.lock`, who)
  if (!('heldBy' in held)) return held
  const { pid, host } = held.heldBy
  const message = `${state} is in use by process ${pid} on ${host}: give each witness its own`
  throw new KernelError('FILE_UNUSABLE', message)
}
