import { isAbsolute, relative } from 'node:path'
import { version } from '@helm-ai-kernel/core'
import type { Running } from '../server.ts'
import type { DevKeys } from './keys.ts'
import { sampleRequests } from './sample.ts'

/** What `dev` prints when it answers: where everything is, and three requests to paste. */
export function banner(
  { addresses, readiness }: Running,
  keys: DevKeys,
  policyFile: string,
  cwd: string,
): string {
  const near = (path: string): string => {
    const short = relative(cwd, path)
    return short.startsWith('..') || isAbsolute(short) ? path : short
  }
  const curl = ([verdict, request]: readonly [string, object]): readonly string[] => [
    `# ${verdict}`,
    `curl -sS ${addresses.api}/api/v1/evaluate -H "Authorization: Bearer $(cat ${quoted(near(keys.agentKeyFile))})"` +
      ` -H 'Content-Type: application/json' -d '${JSON.stringify(request)}'`,
    '',
  ]
  const { ready, reasons } = readiness()
  return [
    `helm-ai-kernel ${version}, for development: this machine alone can reach it`,
    '',
    `  api     ${addresses.api}`,
    `  health  ${addresses.health}/readyz`,
    `  policy  ${near(policyFile)}, built and signed again whenever you change it`,
    `  keys    ${near(keys.folder)}, one a file: admin, agent, service, policy, receipt`,
    '',
    ...(ready
      ? []
      : reasons.map(({ code, detail, fix }) => `not ready: ${code}: ${detail}; ${fix}`)),
    'Try it in another terminal, in this folder:',
    '',
    ...Object.entries(sampleRequests).flatMap(curl),
    'Ctrl-C ends it.',
    '',
  ].join('\n')
}

/** For a shell, in double quotes of an argument. */
function quoted(path: string): string {
  return /^[A-Za-z0-9_./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}
