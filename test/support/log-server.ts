import { encodeHex, memoryStore } from '@helm-ai-kernel/core'
import { formatVerifierKey } from '@helm-ai-kernel/core/log'
import type { KeyInfo } from '@helm-ai-kernel/http'
import { nodeCrypto as crypto } from '../../packages/host/src/node-crypto.ts'
import { serveApp } from './cli.ts'
import { testApp, type TestApp } from './http.ts'
import { kernelSigner } from './kernel.ts'
import { logOrigin, publishedLog, type PublishedLog } from './published.ts'

export const logVkey: string = formatVerifierKey(
  { name: logOrigin, publicKey: kernelSigner.log.publicKey },
  crypto,
)

const signing: KeyInfo = {
  key_id: kernelSigner.keyId,
  public_key: encodeHex(kernelSigner.publicKey),
  log_public_key: encodeHex(kernelSigner.log.publicKey),
  log_vkey: logVkey,
  first_index: 0,
  last_index: null,
}

/** A kernel on a port, whose log publishes when it is told to. */
export interface LogServer extends TestApp {
  readonly url: string
  readonly log: PublishedLog
  /** Decides so often; the ids of the receipts. */
  decide(count: number): Promise<readonly string[]>
  readonly close: () => void
}

/** `name` is in every receipt: logs of other names have other entries. */
export async function logServer(name = 'one'): Promise<LogServer> {
  const store = memoryStore()
  const log = publishedLog(store)
  const made = await testApp({ log, keys: async () => [signing] }, { store })
  const { url, close } = await serveApp(made.app)
  return {
    ...made,
    url,
    log,
    close,
    async decide(count) {
      const ids: string[] = []
      for (let i = 0; i < count; i++) {
        const { receipt_id } = await made.evaluate({ action: 'ticket.read', session_id: name })
        ids.push(String(receipt_id))
      }
      return ids
    },
  }
}
