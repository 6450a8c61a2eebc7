import type { Head } from '../bundle/head.ts'
import type { Signatures } from '../bundle/signature.ts'
import type { Scope } from '../trust/scope.ts'

/** Bundle bytes as a source delivered them, nothing parsed. */
export interface Loaded {
  readonly bytes: Uint8Array
  readonly signatures: Signatures
  readonly bundleRef: string
}

/** Where policy comes from. It offers heads and bytes; it has no authority (design 3.2). */
export interface PolicySource {
  /** The scopes that it can be asked about. */
  scopes(): Promise<readonly Scope[]>
  /** The head now active for `scope`. Throws a KernelError with a SOURCE_ or HEAD_ code. */
  head(scope: Scope): Promise<Head>
  /** The bytes that `head` points at. */
  load(scope: Scope, head: Head): Promise<Loaded>
}
