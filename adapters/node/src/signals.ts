import type { Runtime, Signal } from '@helm-ai-kernel/host'

const signals: readonly Signal[] = ['SIGINT', 'SIGTERM']

/** Tells of each signal that asks this process to end. */
export const onSignal: Runtime['onSignal'] = (tell) => {
  for (const signal of signals) process.on(signal, tell)
  return () => {
    for (const signal of signals) process.off(signal, tell)
  }
}
