export { x } from './a.ts'
