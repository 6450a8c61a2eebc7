import { sameScope } from '@helm-ai-kernel/core'
import { createAuthenticate } from '../auth/authenticate.ts'
import type { Finding, HealthOptions } from '../options.ts'
import { json } from '../reply.ts'
import { type Resource, resource } from '../route.ts'

/** Whether the process works, and whether it may be sent requests. */
export function probeResources(options: HealthOptions): readonly Resource[] {
  const { kernel, credentials, clock, readiness } = options
  const authenticate = createAuthenticate(credentials, clock)
  const alive = ['/health', '/healthz', '/livez'].map((path) =>
    resource(path, { GET: { access: 'anyone', handle: () => json({ status: 'ok' }) } }),
  )

  const ready = resource('/readyz', {
    GET: {
      access: 'anyone',
      handle({ request }) {
        const now = readiness()
        const credential = authenticate(request.headers, 'read')
        const trusted = !('refused' in credential) && sameScope(credential.scope, kernel.scope)
        const shown = (findings: readonly Finding[]): readonly Finding[] =>
          trusted ? findings : findings.map(withheld)
        const body = {
          ready: now.ready,
          reasons: shown(now.reasons),
          warnings: shown(now.warnings),
        }
        return json(body, now.ready ? 200 : 503)
      },
    },
  })

  return [...alive, ready]
}

/** What anybody may know: sentences can hold names of tenants and paths. */
function withheld({ check, code }: Finding): Finding {
  return {
    check,
    code,
    detail: 'shown to a key with the role read in the scope of this kernel',
    fix: 'ask again with Authorization: Bearer and such a key, or look into the log',
  }
}
