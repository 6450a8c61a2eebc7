export { compile } from './compile.ts'
export { decide } from './decide.ts'
export type { Decision } from './decision.ts'
export { type Candidate, explain, type Explanation } from './explain.ts'
export { type AuthFacts, type Facts, factsOf } from './facts.ts'
export { lintRules, type LintWarning } from './lint.ts'
export { parseRequest, type Request, type RequestInput } from './request.ts'
export { requirePassed, runSelfTests, type SelfTestResult } from './self-test.ts'
export type { EffectivePolicySnapshot } from './snapshot.ts'
export {
  decodeStoredArgs,
  encodeStoredArgs,
  type StoredArgs,
  storedArgsName,
} from './stored-args.ts'
