import { KernelError } from '@helm-ai-kernel/core'
import type { AppOptions } from '../options.ts'
import type { Refusal } from '../problem.ts'
import { json } from '../reply.ts'
import { type Resource, resource } from '../route.ts'

const unknownScope: Refusal = {
  refused: 'NOT_FOUND',
  detail: 'no policy source was ever asked for the scope of this key, so nothing is known of it',
}

/** `GET /api/v1/policy/status`: how the policy of the credential's own scope stands. */
export function policyStatusResource({ policy }: Pick<AppOptions, 'policy'>): Resource {
  return resource('/api/v1/policy/status', {
    GET: {
      access: 'read',
      handle({ request }, { scope }) {
        if (new URL(request.url).search !== '') {
          throw new KernelError(
            'REQUEST_MALFORMED',
            'this takes no parameters: the scope is that of the key',
          )
        }
        const status = policy.status(scope)
        return status === undefined ? unknownScope : json(status)
      },
    },
  })
}
