/** What an operator should know now, each said aloud once when it begins. */
export interface Notices {
  /** There is something of this name to know. */
  raise(name: string, message: string): void
  /** There is no more. */
  clear(name: string): void
  list(): readonly string[]
}

export function createNotices(warn: (message: string) => void): Notices {
  const raised = new Map<string, string>()
  return {
    raise(name, message) {
      const known = raised.has(name)
      raised.set(name, message)
      if (!known) warn(message)
    },
    clear: (name) => void raised.delete(name),
    list: () => [...raised.values()],
  }
}
