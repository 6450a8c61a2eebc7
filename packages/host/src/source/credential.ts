import { Buffer } from 'node:buffer'
import { constants } from 'node:fs'
import fs from 'node:fs/promises'
import { KernelError } from '@helm-ai-kernel/core'
import type { Configuration } from '../configuration/index.ts'

/** How the kernel says who it is to a control plane. */
export interface Credential {
  /** The headers of one request. Throws `SOURCE_UNREACHABLE` when there is no token. */
  headers(): Promise<Readonly<Record<string, string>>>
  /** What to look at when it is refused, for people. */
  readonly remedy: string
}

const maxTokenBytes = 16_384

/** By the value of `HELM_POLICY_CONTROLPLANE_AUTH_MODE`. */
const credentials = {
  serviceAccountJWT: ({ policyControlplaneTokenFile: path }) => ({
    // The kubelet replaces the file before its token expires.
    headers: async () => bearer(await tokenIn(path)),
    remedy: 'look at HELM_POLICY_CONTROLPLANE_TOKEN_FILE, and at audience and expiry of its token',
  }),
  bearerToken: ({ policyBearerToken: token }) => ({
    headers: async () => (token === undefined ? {} : bearer(token)),
    remedy: 'look at HELM_POLICY_BEARER_TOKEN',
  }),
  none: () => ({
    headers: async () => ({}),
    remedy: 'it wants a credential: look at HELM_POLICY_CONTROLPLANE_AUTH_MODE, which is none',
  }),
} as const satisfies Record<
  Configuration['policyControlplaneAuthMode'],
  (configuration: Configuration) => Credential
>

export function credentialOf(configuration: Configuration): Credential {
  return credentials[configuration.policyControlplaneAuthMode](configuration)
}

function bearer(token: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${token}` }
}

async function tokenIn(path: string): Promise<string> {
  const token = (await textOf(path)).replace(/\r?\n$/, '')
  if (/^[\x21-\x7e]+$/.test(token) && token.length <= maxTokenBytes) return token
  throw noToken(path, 'must hold a token on one line, and nothing else')
}

/** The first bytes of a file: more than a token and the end of its line may have. */
async function textOf(path: string): Promise<string> {
  try {
    // Opening a pipe would wait for its writer.
    const file = await fs.open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(maxTokenBytes + 3))
      return buffer.toString('latin1', 0, bytesRead)
    } finally {
      await file.close()
    }
  } catch (cause) {
    throw noToken(path, `cannot be read: ${cause instanceof Error ? cause.message : ''}`, cause)
  }
}

function noToken(path: string, why: string, cause?: unknown): KernelError {
  return new KernelError(
    'SOURCE_UNREACHABLE',
    `there is no token for the control plane: ${path} ${why}; mount a service account token there, ` +
      'or set HELM_POLICY_CONTROLPLANE_TOKEN_FILE',
    { cause },
  )
}
