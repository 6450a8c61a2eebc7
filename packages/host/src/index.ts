export { hostClock } from './clock.ts'
export { type HostCommand, hostCommands } from './commands.ts'
export {
  type Configuration,
  configurationHelp,
  type ConfigurationInput,
  configurationMarkdown,
  parseConfiguration,
  type ParsedConfiguration,
} from './configuration/index.ts'
export { runDev } from './dev/run-dev.ts'
export { type CopiedLedger, copyLedger, type CopyProgress } from './copy-ledger.ts'
export { fileKeep } from './file-keep.ts'
export { forgetPolicy, type ForgetPolicyOptions } from './forget-policy.ts'
export { createLog, type Log } from './log.ts'
export { problem } from '@helm-ai-kernel/http'
export { nearest } from './nearest.ts'
export { nodeCrypto } from './node-crypto.ts'
export { nodeDisk } from './node-disk.ts'
export { hostRandom } from './random.ts'
export { rotateKeys, type RotateKeysOptions, type Rotation } from './rotate-keys.ts'
export { type CommandIo, runServe } from './run-serve.ts'
export type { ListenAt, Listener, Runtime, Signal } from './runtime.ts'
export { type Running, serve } from './server.ts'
export { socketLock } from './socket-lock.ts'
export { buildAuthored, isAuthored, parseAuthored } from './source/authoring.ts'
export type { Answer } from './source/answer.ts'
export { controlPlane, type ControlPlaneOptions } from './source/control-plane.ts'
export type { Credential } from './source/credential.ts'
export { mountedFile, type MountedFileOptions } from './source/mounted-file.ts'
export { request, type RequestOptions } from './source/request.ts'
export type { SourceContext, SourceFactory, Sources } from './source/sources.ts'
