import type { AuthMethod, Surface } from '../receipt/statement.ts'
import type { Scope } from '../trust/scope.ts'

/** Through which door a request came, and with what right. */
export interface Caller {
  readonly scope: Scope
  readonly surface: Surface
  /** Name of the credential; empty when embedded. */
  readonly credential: string
  readonly method: AuthMethod
  readonly roles: readonly string[]
}

/** The caller of a kernel that has no door: the program it is part of. */
export function embeddedCaller(scope: Scope): Caller {
  const roles = Object.freeze(['decide'])
  return Object.freeze({ scope, surface: 'embed', credential: '', method: 'embed', roles })
}
