export {
  type Configuration,
  createLog,
  hostClock,
  type Log,
  parseConfiguration,
  type Running,
  serve,
} from '@helm-ai-kernel/host'
export { listen } from './listen.ts'
export { nodeRuntime } from './runtime.ts'
