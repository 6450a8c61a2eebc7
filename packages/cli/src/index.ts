export type { Command, Flag, Given } from './command.ts'
export type { Io } from './io.ts'
export { runCli } from './run.ts'
