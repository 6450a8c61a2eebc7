/** What a command has of the world beside files and the network; a test gives its own. */
export interface Io {
  stdout(text: string): void
  stderr(text: string): void
  readonly env: Readonly<Record<string, string | undefined>>
  /** Whether a person looks on: then there is colour, and progress is drawn in place. */
  readonly isTty: boolean
  /** Where relative paths begin. */
  readonly cwd: string
  readStdin(): Promise<Uint8Array>
}
