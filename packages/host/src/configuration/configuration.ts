import type { Scope } from '@helm-ai-kernel/core'

/** Every setting of design 5.6 after its text was checked. Durations are ms. */
export interface Configuration {
  readonly bindAddr: string
  readonly port: number
  readonly healthPort: number
  readonly internalPort: number | undefined
  readonly metricsEnabled: boolean
  readonly metricsPort: number
  readonly maxInFlight: number
  readonly maxConnections: number
  /** Requests a second; Infinity for no limit. */
  readonly rateLimit: number
  readonly corsOrigins: readonly string[] | undefined

  readonly production: boolean
  readonly dataDir: string
  readonly readyScopes: 'runtime' | 'all' | readonly Scope[]
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
  readonly logFormat: 'json' | 'text'

  readonly signingKey: Uint8Array | undefined
  readonly signingKeyFile: string | undefined
  readonly signingPreviousKeys: readonly string[] | undefined

  readonly adminApiKey: string | undefined
  readonly serviceApiKey: string | undefined
  readonly apiKeysFile: string | undefined
  readonly runtimeTenantId: string
  readonly runtimeWorkspaceId: string
  readonly runtimePrincipalId: string

  readonly policySourceKind: 'mountedFile' | 'controlplane' | 'crd'
  readonly policyPath: string | undefined
  readonly policyPollInterval: number
  readonly policyInitialReconcileTimeout: number
  readonly policyOnInvalidUpdate: 'keepLastKnownGood' | 'deny'
  readonly policyLastKnownGoodMaxAge: number
  readonly policySignatureRequired: boolean
  readonly policyTrustPublicKey: readonly string[] | undefined
  readonly policyTrustRoot: string | undefined
  readonly policyAudience: string | undefined
  readonly policyMaxLifetime: number | undefined
  readonly policyWakePath: string
  readonly policyFsnotify: boolean
  readonly policyScopes: readonly Scope[] | undefined
  readonly policyControlplaneUrl: string | undefined
  readonly policyControlplaneAuthMode: 'serviceAccountJWT' | 'bearerToken' | 'none'
  readonly policyControlplaneTokenFile: string
  readonly policyControlplaneCaFile: string | undefined
  readonly policyBearerToken: string | undefined
  readonly policyCrdNamespace: string | undefined
  readonly policyCrdApiUrl: string | undefined

  readonly storageType: 'sqlite' | 'postgres'
  readonly databaseUrl: string | undefined
  readonly ledgerInit: 'auto' | 'never'
  readonly logOrigin: string | undefined
  readonly logPublic: boolean
  readonly receiptArgs: 'hash' | 'store'

  readonly enableOpenaiProxy: boolean
  readonly upstreamUrl: string | undefined
  readonly upstreamApiKey: string | undefined
  readonly proxyOnDeny: 'rewrite' | 'error'
  readonly proxyBetaHeaders: string | undefined

  readonly mcpConfig: string | undefined
  readonly mcpLockFile: string | undefined

  readonly url: string | undefined
  readonly apiKey: string | undefined
}
