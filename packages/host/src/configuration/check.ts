import { sameScope, systemScope } from '@helm-ai-kernel/core'
import type { Configuration } from './configuration.ts'

/** What no single value can say: settings that do not go together. One sentence each. */
export function contradictions(
  configuration: Configuration,
  sources: readonly string[],
): readonly string[] {
  const { policySourceKind: kind } = configuration
  const found: readonly (readonly [boolean, string])[] = [
    [
      configuration.signingKey !== undefined && configuration.signingKeyFile !== undefined,
      'HELM_SIGNING_KEY and HELM_SIGNING_KEY_FILE are both set: unset one',
    ],
    [
      configuration.production &&
        configuration.signingKey === undefined &&
        configuration.signingKeyFile === undefined,
      'HELM_PRODUCTION needs a signing key: set HELM_SIGNING_KEY_FILE to a file with the seed that ' +
        'keygen made',
    ],
    [
      configuration.policyTrustPublicKey !== undefined &&
        configuration.policyTrustRoot !== undefined,
      'HELM_POLICY_TRUST_PUBLIC_KEY and HELM_POLICY_TRUST_ROOT are both set: unset one',
    ],
    [
      configuration.port !== 0 && configuration.port === configuration.healthPort,
      'HELM_PORT and HELM_HEALTH_PORT are the same port: change one',
    ],
    [
      sameScope(
        {
          tenantId: configuration.runtimeTenantId,
          workspaceId: configuration.runtimeWorkspaceId,
        },
        systemScope,
      ),
      'HELM_RUNTIME_TENANT_ID and HELM_RUNTIME_WORKSPACE_ID must not name helm/system, which is reserved',
    ],
    [
      !sources.includes(kind),
      `HELM_POLICY_SOURCE_KIND=${kind}: this build has no ${kind} policy source, only ${sources.join(', ')}`,
    ],
  ]
  return found.filter(([holds]) => holds).map(([, sentence]) => sentence)
}
