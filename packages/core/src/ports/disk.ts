/** An open file. Calls on one file are made one at a time by its owner. */
export interface File {
  /** Writes all of `bytes` at `offset`, growing the file; throws when any byte was not written. */
  write(bytes: Uint8Array, offset: number): Promise<void>
  /** Up to `length` bytes at `offset`; shorter at the end of the file. */
  read(offset: number, length: number): Promise<Uint8Array>
  /** What was written survives a power cut once this resolves (fdatasync). */
  sync(): Promise<void>
  /** Sets the size. */
  truncate(size: number): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
}

/**
 * A folder tree. Paths are relative, with `/`. Every change of a folder (create, rename, remove) is
 * durable when its call resolves: the implementation syncs the folder.
 */
export interface Disk {
  /**
   * Opens for reading and writing. `create` makes the file, and folders on the way, when absent;
   * `scratch` makes it anew, and its name is durable only once it is renamed.
   */
  open(path: string, mode: 'read' | 'write' | 'create' | 'scratch'): Promise<File>
  rename(from: string, to: string): Promise<void>
  /** Removes a file; resolves when there is none. */
  remove(path: string): Promise<void>
  /** Names in a folder, sorted; none when there is no such folder. */
  list(path: string): Promise<readonly string[]>
}

/** The error a Disk throws; `code` is the platform's (`ENOENT`, `ENOSPC`, `EIO`). */
export interface DiskError extends Error {
  readonly code: string
}
