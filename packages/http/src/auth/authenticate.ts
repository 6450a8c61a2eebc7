import type { Clock } from '@helm-ai-kernel/core'
import type { ProblemCode, Refusal } from '../problem.ts'
import { type Credential, type Credentials, isKey } from './credentials.ts'
import type { Role } from './role.ts'

/** Whose request this is, when the holder has the role; else why not, without leaking anything. */
export type Authenticate = (headers: Headers, role: Role) => Credential | Refusal

const bearer = /^bearer +(\S+)$/i

const serviceKey =
  'HELM_SERVICE_API_KEY, in the chart helm.auth.serviceAPIKey or helm.auth.existingSecret'

export function createAuthenticate(
  credentials: Credentials,
  clock: Pick<Clock, 'now'>,
): Authenticate {
  return (headers, role) => {
    const internal = role === 'internal'
    if (internal ? !credentials.internalConfigured : !credentials.configured) {
      return unauthenticated(
        'AUTH_NOT_CONFIGURED',
        internal
          ? `this kernel has no service key, so nobody opens this path: set ${serviceKey}`
          : 'this kernel has no API key, so it lets nobody in: set HELM_ADMIN_API_KEY or HELM_API_KEYS_FILE',
      )
    }
    const which = internal ? `; this path takes the service key alone: ${serviceKey}` : ''
    const header = headers.get('authorization')
    if (header === null) {
      return unauthenticated('AUTH_MISSING', `send Authorization: Bearer and an API key${which}`)
    }
    if (header.includes(',')) {
      return { refused: 'REQUEST_MALFORMED', detail: 'send one Authorization header, not several' }
    }
    const key = bearer.exec(header)?.[1]
    if (key === undefined || !isKey(key)) {
      const detail = `Authorization must be Bearer and one API key${which}`
      return unauthenticated('AUTH_MALFORMED', detail)
    }
    const credential = credentials.find(key)
    if (credential === undefined) {
      const detail = `this API key is not one that this kernel knows${which}`
      return unauthenticated('AUTH_INVALID', detail)
    }
    if (credential.notAfter !== undefined && clock.now() >= credential.notAfter) {
      return unauthenticated('AUTH_EXPIRED', `this API key has expired: use a newer one${which}`)
    }
    if (!credential.roles.includes(role)) {
      const roles = credential.roles.join(', ')
      return {
        refused: 'AUTH_FORBIDDEN',
        detail: `this needs a key with the role ${role}; this one has ${roles}${which}`,
      }
    }
    return credential
  }
}

/** The challenge is that of RFC 6750 section 3. */
function unauthenticated(refused: ProblemCode, detail: string): Refusal {
  const error = refused === 'AUTH_INVALID' || refused === 'AUTH_EXPIRED'
  const challenge = `Bearer realm="helm-ai-kernel"${error ? ', error="invalid_token"' : ''}`
  return { refused, detail, headers: { 'www-authenticate': challenge } }
}
