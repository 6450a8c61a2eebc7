import { KernelError } from '@helm-ai-kernel/core'

const untrusted =
  'its certificate is of no CA that is trusted here; give the file of its CA ' +
  '(of a control plane: HELM_POLICY_CONTROLPLANE_CA_FILE)'

/** What Node calls the ways in which a connection fails, for people. */
const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'no address is known for its name',
  EAI_AGAIN: 'no address can be found for its name now',
  EHOSTUNREACH: 'there is no way to it',
  ENETUNREACH: 'there is no way to it',
  ECONNRESET: 'it closed the connection before its answer was complete',
  EPIPE: 'it closed the connection before its answer was complete',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  CERT_UNTRUSTED: untrusted,
  CERT_HAS_EXPIRED: 'its certificate has expired, by the clock of this machine',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet, by the clock of this machine',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for other names than this one',
  EPROTO: 'it does not speak TLS there',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS there',
}

/** The KernelError that says why a request to `url` failed, without its query. */
export function faultOf(cause: unknown, url: URL): KernelError {
  if (cause instanceof KernelError) return cause
  const code = codeOf(cause)
  const place = url.origin + url.pathname
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new KernelError('SOURCE_TOO_LARGE', `${place} answered with too many headers`, { cause })
  }
  if (code === 'ETIMEDOUT') {
    return new KernelError('SOURCE_TIMEOUT', `${place} takes no connection`, { cause })
  }
  const reason = code.startsWith('HPE_') ? 'its answer is not HTTP' : (reasons[code] ?? code)
  return new KernelError('SOURCE_UNREACHABLE', `${place} cannot be reached: ${reason}`, { cause })
}

/** Whether the other side closed the connection. */
export function isReset(error: unknown): boolean {
  return ['ECONNRESET', 'EPIPE'].includes(codeOf(error))
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'an error without a code'
}
