import fs from 'node:fs/promises'
import { join } from 'node:path'

/** Swaps in a generation of files as the kubelet does: folder, link beside, rename over `..data`, old away. */
export async function kubelet(
  folder: string,
  generation: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<void> {
  const before = await fs.readlink(join(folder, '..data')).catch(() => undefined)
  await fs.mkdir(join(folder, generation))
  for (const [name, content] of Object.entries(files)) {
    await fs.writeFile(join(folder, generation, name), content)
  }
  await fs.symlink(generation, join(folder, '..data_tmp'))
  await fs.rename(join(folder, '..data_tmp'), join(folder, '..data'))
  for (const name of Object.keys(files)) {
    await fs.symlink(join('..data', name), join(folder, name)).catch(() => undefined)
  }
  if (before !== undefined) await fs.rm(join(folder, before), { recursive: true })
}
