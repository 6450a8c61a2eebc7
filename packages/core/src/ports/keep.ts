/** Small durable blobs by name: kept bundles, pending requests, stored arguments. */
export interface Keep {
  /** Durable when it resolves; replaces what was there, whole or not at all. */
  put(name: string, bytes: Uint8Array): Promise<void>
  get(name: string): Promise<Uint8Array | undefined>
  remove(name: string): Promise<void>
  /** Names that begin with `prefix`, sorted. */
  list(prefix: string): Promise<readonly string[]>
}
