/** What a key may be given in the keys file. */
export const clientRoles = ['decide', 'read', 'approve', 'audit'] as const

export type ClientRole = (typeof clientRoles)[number]

/** `internal` opens /internal, and only the service key has it. */
export type Role = ClientRole | 'internal'

export function isClientRole(value: unknown): value is ClientRole {
  return clientRoles.some((role) => role === value)
}
