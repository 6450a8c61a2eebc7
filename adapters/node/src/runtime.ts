import type { Runtime } from '@helm-ai-kernel/host'
import { crdSources } from '@helm-ai-kernel/kubernetes'
import { listen } from './listen.ts'
import { onSignal } from './signals.ts'

/** What the host's server needs of Node. */
export const nodeRuntime: Runtime = Object.freeze({
  name: `node ${process.versions.node}`,
  listen,
  onSignal,
  exit: (code: number) => process.exit(code),
  sources: crdSources,
})
