import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { KernelError } from '@helm-ai-kernel/core'

/**
 * The PEM certificates in the file that the setting `name` names. Throws `CONFIG_INVALID` when it cannot
 * be read or holds none: a kernel that fell back to other CAs would trust the wrong side.
 */
export function readCertificates(path: string, name: string): string {
  const blocks = textOf(path, name).match(
    /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g,
  )
  if (blocks === null) throw unusable(`${name} must name a PEM file: ${path} has no certificate`)
  for (const [i, block] of blocks.entries()) {
    try {
      new X509Certificate(block)
    } catch (cause) {
      throw unusable(`${name}: certificate ${i + 1} of ${path} is damaged`, cause)
    }
  }
  return blocks.join('\n')
}

function textOf(path: string, name: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw unusable(`${name} cannot be read: ${message}`, cause)
  }
}

function unusable(message: string, cause?: unknown): KernelError {
  return new KernelError('CONFIG_INVALID', message, { cause })
}
