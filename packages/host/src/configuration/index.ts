export type { Configuration } from './configuration.ts'
export { type ConfigurationInput, parseConfiguration, type ParsedConfiguration } from './parse.ts'
export { configurationHelp, configurationMarkdown } from './print.ts'
export { settings } from './table.ts'
