export { type App, createApp, createHealthApp, createInternalApp, createMetricsApp } from './app.ts'
export { type ClientKey, parseClientKeys } from './auth/client-keys.ts'
export {
  type Credential,
  type CredentialInput,
  type Credentials,
  credentialsOf,
} from './auth/credentials.ts'
export type { ClientRole, Role } from './auth/role.ts'
export type {
  AppOptions,
  Bind,
  Build,
  EvidenceSource,
  Exposition,
  Finding,
  HealthOptions,
  HttpEvent,
  InternalOptions,
  KeyInfo,
  Limits,
  MetricsOptions,
  PolicyAuthority,
  Readiness,
} from './options.ts'
export { type EventCode, problem, type ProblemCode } from './problem.ts'
