export { nodeCrypto } from './node-crypto.ts'
export { nodeDisk } from './node-disk.ts'
export { socketLock } from './socket-lock.ts'
export { isAuthored, parseAuthored } from './source/authoring.ts'
