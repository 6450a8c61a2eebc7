import type { Digest, Keep } from '@helm-ai-kernel/core'
import type { KeptBundle } from '@helm-ai-kernel/core/evidence'

/** Reads bundles as the kernel kept them when they were installed, by their hash. */
export function keptBundles(keep: Keep): (policyHash: Digest) => Promise<KeptBundle | undefined> {
  return async (policyHash) => {
    const name = `policies/${policyHash.slice('sha256:'.length)}.bundle`
    const [bytes, signature] = await Promise.all([keep.get(name), keep.get(`${name}.sig`)])
    return bytes && { bytes, ...(signature && { signature }) }
  }
}
