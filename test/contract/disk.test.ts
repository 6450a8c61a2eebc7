import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Disk } from '@helm-ai-kernel/core'
import { afterAll, describe, expect, it } from 'vitest'
import { nodeDisk } from '../../packages/host/src/node-disk.ts'
import { memoryDisk } from '../support/memory-disk.ts'

const folders: string[] = []

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'helm-disk-'))
  folders.push(folder)
  return folder
}

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true })
})

const text = (content: string) => new TextEncoder().encode(content)

async function write(disk: Disk, path: string, content: string): Promise<void> {
  const file = await disk.open(path, 'create')
  await file.write(text(content), 0)
  await file.sync()
  await file.close()
}

async function read(disk: Disk, path: string): Promise<string> {
  const file = await disk.open(path, 'read')
  const bytes = await file.read(0, await file.size())
  await file.close()
  return new TextDecoder().decode(bytes)
}

describe.each([
  { name: 'nodeDisk', make: () => nodeDisk(join(newFolder(), 'data')) },
  { name: 'memoryDisk', make: () => memoryDisk() },
])('$name is a Disk', ({ make }) => {
  it('makes a scratch file anew each time, and gives it a name that stays', async () => {
    const disk = make()
    for (const content of ['a longer one', 'short']) {
      const file = await disk.open('s/a.tmp', 'scratch')
      expect(await file.size()).toBe(0)
      await file.write(text(content), 0)
      await file.sync()
      await file.close()
      await disk.rename('s/a.tmp', 's/a')
      expect(await read(disk, 's/a')).toBe(content)
    }
    expect(await disk.list('s')).toEqual(['a'])
  })

  it('gives back what was written, and less at the end of a file', async () => {
    const disk = make()
    const file = await disk.open('a/b/c', 'create')
    await file.write(text('hello world'), 0)
    await file.write(text('W'), 6)
    expect(await file.read(6, 5)).toEqual(text('World'))
    expect(await file.read(9, 100)).toEqual(text('ld'))
    expect(await file.read(100, 1)).toEqual(text(''))
    expect(await file.size()).toBe(11)
    await file.close()
  })

  it('fills with zeros what a write or a longer size skips', async () => {
    const disk = make()
    const file = await disk.open('a', 'create')
    await file.write(text('x'), 2)
    await file.truncate(4)
    expect(await file.read(0, 10)).toEqual(Uint8Array.of(0, 0, 120, 0))
    await file.truncate(1)
    expect(await file.size()).toBe(1)
    await file.close()
  })

  it('opens a file that is missing only to create it', async () => {
    const disk = make()
    await expect(disk.open('a', 'read')).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(disk.open('a', 'write')).rejects.toMatchObject({ code: 'ENOENT' })
    await write(disk, 'a', 'kept')
    await (await disk.open('a', 'create')).close()
    expect(await read(disk, 'a')).toBe('kept')
  })

  it('renames over what is there', async () => {
    const disk = make()
    await write(disk, 'a', 'new')
    await write(disk, 'b/c', 'old')
    await disk.rename('a', 'b/c')
    expect(await read(disk, 'b/c')).toBe('new')
    expect(await disk.list('b')).toEqual(['c'])
    await expect(disk.rename('a', 'b/c')).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('removes a file, and does not mind when there is none', async () => {
    const disk = make()
    await write(disk, 'a/b', '')
    await disk.remove('a/b')
    await disk.remove('a/b')
    expect(await disk.list('a')).toEqual([])
  })

  it('lists the names in a folder in order, and none of a folder that is missing', async () => {
    const disk = make()
    for (const path of ['f/b', 'f/a', 'f/d/e', 'g']) await write(disk, path, '')
    expect(await disk.list('f')).toEqual(['a', 'b', 'd'])
    expect(await disk.list('missing')).toEqual([])
  })
})

describe('nodeDisk', () => {
  it('makes files and folders that are for their owner alone', async () => {
    const root = newFolder()
    await write(nodeDisk(join(root, 'data')), 'a/b', '')
    const mode = (path: string) => (statSync(join(root, path)).mode & 0o777).toString(8)
    expect([mode('data'), mode('data/a'), mode('data/a/b')]).toEqual(['700', '700', '600'])
  })

  it.each(['../a', 'a/../../b', '/etc/passwd', 'a//b', '', './a', 'a\0b'])(
    'refuses the path %j',
    async (path) => {
      const disk = nodeDisk(newFolder())
      await expect(disk.open(path, 'create')).rejects.toThrow('not a path inside')
      await expect(disk.remove(path)).rejects.toThrow('not a path inside')
    },
  )
})

describe('memoryDisk', () => {
  const keep = () => 0
  const lose = () => 1

  it('keeps over a power cut what was synced, and may lose the rest', async () => {
    const disk = memoryDisk()
    await write(disk, 'a', 'durable')
    const file = await disk.open('a', 'write')
    await file.write(text('DUR'), 0)
    expect(disk.afterPowerCut(lose).get('a')).toEqual(text('durable'))
    expect(disk.afterPowerCut(keep).get('a')).toEqual(text('DURable'))
    expect(disk.files().get('a')).toEqual(text('DURable'))
  })

  it('may lose a name until its call resolves', async () => {
    const disk = memoryDisk()
    await write(disk, 'a', 'x')
    const renaming = disk.rename('a', 'b')
    expect([...disk.afterPowerCut(keep).keys()]).toEqual(['a'])
    await renaming
    expect([...disk.afterPowerCut(keep).keys()]).toEqual(['b'])
  })

  it('never writes what a failed sync dropped', async () => {
    const disk = memoryDisk()
    const file = await disk.open('a', 'create')
    await file.write(text('x'), 0)
    disk.dropUnsynced('a')
    await file.sync()
    expect(disk.afterPowerCut(keep).get('a')).toEqual(text(''))
  })
})
