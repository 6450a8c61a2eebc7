/** Cryptographically secure randomness. */
export interface Random {
  /** `n` fresh bytes. */
  bytes(n: number): Uint8Array
}
