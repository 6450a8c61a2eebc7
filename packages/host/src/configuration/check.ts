import { isKernelError, sameScope, systemScope } from '@helm-ai-kernel/core'
import { parseDatabaseUrl } from '@helm-ai-kernel/postgres/database-url'
import type { Configuration } from './configuration.ts'

/** What no single value can say: settings that do not go together. One sentence each. */
export function contradictions(
  configuration: Configuration,
  sources: readonly string[],
): readonly string[] {
  const { policySourceKind: kind, policyControlplaneAuthMode: mode } = configuration
  const isControlPlane = kind === 'controlplane'
  const hasToken = configuration.policyBearerToken !== undefined
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
    ...samePorts(configuration),
    [
      configuration.storageType === 'postgres' && configuration.databaseUrl === undefined,
      'HELM_STORAGE_TYPE=postgres needs DATABASE_URL',
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
    [
      isControlPlane && configuration.policyControlplaneUrl === undefined,
      'HELM_POLICY_SOURCE_KIND=controlplane needs HELM_POLICY_CONTROLPLANE_URL',
    ],
    [
      isControlPlane && mode === 'bearerToken' && !hasToken,
      'HELM_POLICY_CONTROLPLANE_AUTH_MODE=bearerToken needs HELM_POLICY_BEARER_TOKEN',
    ],
    [
      isControlPlane && mode !== 'bearerToken' && hasToken,
      `HELM_POLICY_CONTROLPLANE_AUTH_MODE=${mode} does not send HELM_POLICY_BEARER_TOKEN: ` +
        'set the mode to bearerToken, or unset the token',
    ],
  ]
  return [
    ...found.filter(([holds]) => holds).map(([, sentence]) => sentence),
    ...badAddress(configuration),
  ]
}

/** What is wrong with the address of the database, in words that repeat nothing of it. */
function badAddress({ storageType, databaseUrl }: Configuration): readonly string[] {
  if (storageType !== 'postgres' || databaseUrl === undefined) return []
  try {
    parseDatabaseUrl(databaseUrl)
    return []
  } catch (error) {
    if (isKernelError(error)) return [error.message]
    throw error
  }
}

/** For each pair of listeners, whether both were given one port; 0 is another one for each. */
function samePorts(configuration: Configuration): readonly (readonly [boolean, string])[] {
  const { port, healthPort, internalPort = 0, metricsEnabled, metricsPort } = configuration
  const listeners = [
    ['HELM_PORT', port],
    ['HELM_HEALTH_PORT', healthPort],
    ['HELM_INTERNAL_PORT', internalPort],
    ['HELM_METRICS_PORT', metricsEnabled ? metricsPort : 0],
  ] as const
  return listeners.flatMap(([name, one], i) =>
    listeners.slice(i + 1).map(([other, another]) => {
      const sentence = `${name} and ${other} are the same port: change one`
      return [one !== 0 && one === another, sentence] as const
    }),
  )
}
