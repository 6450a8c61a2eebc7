import { isKernelError } from '@helm-ai-kernel/core'
import {
  configurationHelp,
  configurationMarkdown,
  type ConfigurationInput,
  parseConfiguration,
} from '@helm-ai-kernel/host'
import { describe, expect, it } from 'vitest'
import { settings } from '../../packages/host/src/configuration/table.ts'

type Environment = ConfigurationInput['environment']

const sources = ['mountedFile']
const seed = '11'.repeat(32)
const publicKey = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'

function parse(environment: Environment = {}, flags: Record<string, string> = {}) {
  return parseConfiguration({ environment, flags, sources })
}

function values(environment: Environment = {}, flags: Record<string, string> = {}) {
  return parse(environment, flags).configuration
}

/** The lines of the one message with which a bad configuration is refused. */
function refusal(environment: Environment, flags: Record<string, string> = {}): readonly string[] {
  try {
    parse(environment, flags)
  } catch (error) {
    expect(isKernelError(error, 'CONFIG_INVALID')).toBe(true)
    return (error as Error).message.split('\n')
  }
  throw new Error('it was taken')
}

describe('the configuration', () => {
  it('has the defaults that are published', () => {
    expect(values()).toMatchObject({
      bindAddr: '127.0.0.1',
      port: 8080,
      healthPort: 8081,
      metricsPort: 9090,
      dataDir: './.helm',
      production: false,
      runtimeTenantId: 'default',
      runtimeWorkspaceId: 'default',
      runtimePrincipalId: 'system-admin',
      policySourceKind: 'mountedFile',
      policyPollInterval: 10_000,
      policyInitialReconcileTimeout: 30_000,
      policyOnInvalidUpdate: 'keepLastKnownGood',
      policyLastKnownGoodMaxAge: 600_000,
      policySignatureRequired: false,
      storageType: 'sqlite',
      receiptArgs: 'hash',
      maxInFlight: 1024,
      maxConnections: 4096,
      rateLimit: Infinity,
      logLevel: 'info',
      logFormat: 'json',
    })
  })

  it('lets a flag beat the environment, and the environment the default', () => {
    expect(values({ HELM_PORT: '9000' }).port).toBe(9000)
    expect(values({ HELM_PORT: '9000' }, { '--port': '0' }).port).toBe(0)
    expect(values({}, { '--addr': '0.0.0.0', '--data-dir': '/d', '--policy': '/p' })).toMatchObject(
      {
        bindAddr: '0.0.0.0',
        dataDir: '/d',
        policyPath: '/p',
      },
    )
  })

  it('takes an empty variable for one that is not set', () => {
    expect(values({ HELM_PORT: '', HELM_SIGNING_KEY: '', HELM_POLICY_PATH: '' })).toMatchObject({
      port: 8080,
      signingKey: undefined,
      policyPath: undefined,
    })
  })

  it.each([
    ['true', true],
    ['1', true],
    ['false', false],
    ['0', false],
  ])('reads the boolean %s', (text, value) => {
    expect(values({ HELM_LOG_PUBLIC: text }).logPublic).toBe(value)
  })

  it.each(['yes', 'TRUE', 'on', '2', 'constructor'])('does not take %s for a boolean', (text) => {
    expect(refusal({ HELM_LOG_PUBLIC: text })[1]).toBe(
      `HELM_LOG_PUBLIC must be true, false, 1 or 0; given was "${text}"`,
    )
  })

  it.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
  ])('reads the duration %s', (text, ms) => {
    expect(values({ HELM_POLICY_POLL_INTERVAL: text }).policyPollInterval).toBe(ms)
  })

  it.each(['10', '10 s', '-1s', '1d', '0s', '99ms', '481h', 's'])(
    'does not take %s for a poll interval',
    (text) => {
      expect(refusal({ HELM_POLICY_POLL_INTERVAL: text })[1]).toContain('a duration from 100ms')
    },
  )

  it('reads lists, keys and rates', () => {
    expect(
      values({
        HELM_SIGNING_KEY: seed,
        HELM_POLICY_TRUST_PUBLIC_KEY: `${publicKey}, ${publicKey.toUpperCase()}`,
        CORS_ORIGINS: 'https://a.example,http://localhost:3000',
        HELM_RATE_LIMIT: '50',
      }),
    ).toMatchObject({
      signingKey: new Uint8Array(32).fill(0x11),
      policyTrustPublicKey: [publicKey, publicKey.toUpperCase()],
      corsOrigins: ['https://a.example', 'http://localhost:3000'],
      rateLimit: 50,
    })
  })

  it('lists all bad values in one message, each with what was expected and what was given', () => {
    const environment = {
      HELM_PORT: '80800',
      HELM_BIND_ADDR: 'example.com',
      HELM_POLICY_SOURCE_KIND: 'file',
      HELM_LOG_LEVEL: 'loud',
      HELM_RUNTIME_TENANT_ID: 'a b',
      CORS_ORIGINS: 'https://a.example/path',
    }
    expect(refusal(environment, { '--port': 'http' })).toEqual([
      '6 settings are wrong:',
      'HELM_BIND_ADDR must be an IP address or localhost, such as 127.0.0.1 or 0.0.0.0; given was "example.com"',
      '--port must be a port from 0 to 65535; 0 takes a free one; given was "http"',
      'CORS_ORIGINS must be origins, separated by commas, each an origin such as https://console.example; given was "https://a.example/path"',
      'HELM_LOG_LEVEL must be one of debug, info, warn, error; given was "loud"',
      'HELM_RUNTIME_TENANT_ID must be 1 to 63 of A-Z a-z 0-9 . _ - and begin with a letter or digit; given was "a b"',
      'HELM_POLICY_SOURCE_KIND must be one of mountedFile, controlplane, crd; given was "file"',
    ])
  })

  it('never shows a secret, not even a wrong one', () => {
    const environment = {
      HELM_SIGNING_KEY: 'not-hex-but-secret',
      HELM_ADMIN_API_KEY: 'my secret',
      HELM_SERVICE_API_KEY: 'a,b',
    }
    const message = refusal(environment).join('\n')
    expect(message).toContain('given was 18 characters that are secret')
    for (const secret of Object.values(environment)) expect(message).not.toContain(secret)
  })

  it('refuses a weak public key as it refuses one that is none', () => {
    const weak = `01${'00'.repeat(31)}`
    expect(refusal({ HELM_POLICY_TRUST_PUBLIC_KEY: weak })[1]).toContain('Ed25519 public key')
  })

  it('refuses what does not go together', () => {
    expect(
      refusal({
        HELM_PRODUCTION: 'true',
        HELM_POLICY_TRUST_PUBLIC_KEY: publicKey,
        HELM_POLICY_TRUST_ROOT: '/trust.json',
        HELM_PORT: '8081',
        HELM_RUNTIME_TENANT_ID: 'helm',
        HELM_RUNTIME_WORKSPACE_ID: 'system',
      }).map((line) => line.split(':')[0]),
    ).toEqual([
      '4 settings are wrong',
      'HELM_PRODUCTION needs a signing key',
      'HELM_POLICY_TRUST_PUBLIC_KEY and HELM_POLICY_TRUST_ROOT are both set',
      'HELM_PORT and HELM_HEALTH_PORT are the same port',
      'HELM_RUNTIME_TENANT_ID and HELM_RUNTIME_WORKSPACE_ID must not name helm/system, which is reserved',
    ])
    expect(refusal({ HELM_SIGNING_KEY: seed, HELM_SIGNING_KEY_FILE: '/k' })[1]).toContain(
      'both set',
    )
  })

  it.each([
    ['HELM_POLICY_SOURCE_KIND', 'controlplane'],
    ['HELM_POLICY_SOURCE_KIND', 'crd'],
  ])('stops the start at %s=%s, which this build cannot honour', (name, text) => {
    expect(refusal({ [name]: text })[1]).toMatch(new RegExp(`^${name}=${text}: this build `))
  })

  it('takes a source kind that the build has', () => {
    const environment = { HELM_POLICY_SOURCE_KIND: 'crd' }
    const { configuration } = parseConfiguration({ environment, sources: [...sources, 'crd'] })
    expect(configuration.policySourceKind).toBe('crd')
  })

  it('reads scopes, for the control plane and for readiness', () => {
    const acme = { tenantId: 'acme', workspaceId: 'prod' }
    const eu = { tenantId: 'acme', workspaceId: 'prod-eu.1' }
    expect(values()).toMatchObject({ policyScopes: undefined, readyScopes: 'runtime' })
    expect(
      values({ HELM_POLICY_SCOPES: 'acme/prod, acme/prod-eu.1', HELM_READY_SCOPES: 'all' }),
    ).toMatchObject({ policyScopes: [acme, eu], readyScopes: 'all' })
    expect(values({ HELM_READY_SCOPES: 'acme/prod' }).readyScopes).toEqual([acme])
  })

  it.each(['acme', 'acme/', '/prod', 'a/b/c', 'acme/prod,', 'acme prod', 'helm/system', 'a/../b'])(
    'does not take %s for scopes',
    (text) => {
      const lines = refusal({ HELM_POLICY_SCOPES: text, HELM_READY_SCOPES: text })
      expect(lines).toHaveLength(3)
      expect(lines[1]).toContain('HELM_READY_SCOPES must be runtime, all, or scopes')
      expect(lines[2]).toContain('HELM_POLICY_SCOPES must be scopes, separated by commas')
    },
  )

  it.each([
    'https://policy.example',
    'https://policy.example:8443/helm/',
    'http://localhost:8080',
    'http://127.0.0.1',
    'http://127.1:80',
    'http://[::1]:9000/base',
  ])('takes %s for the URL of a control plane', (url) => {
    expect(values({ HELM_POLICY_CONTROLPLANE_URL: url }).policyControlplaneUrl).toBe(url)
  })

  it.each([
    'http://policy.example',
    'http://127.0.0.1.evil.example',
    'http://localhost.evil.example',
    'http://10.0.0.1',
    'http://0.0.0.0',
    'https://user:pass@policy.example',
    'https://@policy.example',
    'https://policy.example/?token=pass',
    'https://policy.example/#pass',
    'https://policy.example?',
    'ftp://127.0.0.1',
    'policy.example',
    'https://',
    'https:// policy.example',
  ])('does not take %s for it, and shows no secret of it', (url) => {
    const message = refusal({ HELM_POLICY_CONTROLPLANE_URL: url }).join()
    expect(message).toContain('HELM_POLICY_CONTROLPLANE_URL must be an https:// URL')
    expect(message).not.toContain('pass')
  })

  it('refuses half a control plane', () => {
    const made = (environment: Environment): readonly string[] => {
      try {
        const kind = { HELM_POLICY_SOURCE_KIND: 'controlplane', ...environment }
        parseConfiguration({ environment: kind, sources: [...sources, 'controlplane'] })
        return []
      } catch (error) {
        return (error as Error).message.split('\n').slice(1)
      }
    }
    const url = { HELM_POLICY_CONTROLPLANE_URL: 'https://policy.example' }
    const mode = { HELM_POLICY_CONTROLPLANE_AUTH_MODE: 'bearerToken' }
    const token = { HELM_POLICY_BEARER_TOKEN: 'abc' }
    expect(made({ ...mode })).toEqual([
      'HELM_POLICY_SOURCE_KIND=controlplane needs HELM_POLICY_CONTROLPLANE_URL',
      'HELM_POLICY_CONTROLPLANE_AUTH_MODE=bearerToken needs HELM_POLICY_BEARER_TOKEN',
    ])
    expect(made({ ...url, ...token })).toEqual([
      'HELM_POLICY_CONTROLPLANE_AUTH_MODE=serviceAccountJWT does not send HELM_POLICY_BEARER_TOKEN: ' +
        'set the mode to bearerToken, or unset the token',
    ])
    expect(made(url)).toEqual([])
    expect(made({ ...url, ...mode, ...token })).toEqual([])
    expect(parse({ ...token }).warnings).toEqual([])
  })

  it('takes for a token what can stand in a header, and never shows it', () => {
    for (const text of ['two words', 'z\u00fcrich', 'a\nb', 'x'.repeat(8193)]) {
      const message = refusal({ HELM_POLICY_BEARER_TOKEN: text }).join()
      expect(message).toContain('HELM_POLICY_BEARER_TOKEN must be 1 to 8192 visible ASCII')
      expect(message).not.toContain(text)
    }
  })

  it('warns of every setting that has no effect yet, but not of one that asks for nothing', () => {
    const { warnings } = parse({
      HELM_ENABLE_OPENAI_PROXY: '1',
      HELM_UPSTREAM_URL: 'https://api.example/v1',
      HELM_METRICS_ENABLED: 'false',
      HELM_METRICS_PORT: '9090',
      HELM_READY_SCOPES: 'runtime',
    })
    expect(warnings).toEqual([
      'HELM_ENABLE_OPENAI_PROXY has no effect: this build has no model proxy: /v1 answers 404',
      'HELM_UPSTREAM_URL has no effect: this build has no model proxy: /v1 answers 404',
    ])
  })

  it('warns of an unknown HELM_ name, with the nearest known one', () => {
    expect(
      parse({ HELM_POLCY_PATH: '/p', HELM_ADMIN_APIKEY: 'k', HELM_XYZZY: '1', PORT: '1' }).warnings,
    ).toEqual([
      'HELM_ADMIN_APIKEY is no setting and has no effect; did you mean HELM_ADMIN_API_KEY?',
      'HELM_POLCY_PATH is no setting and has no effect; did you mean HELM_POLICY_PATH?',
      'HELM_XYZZY is no setting and has no effect',
    ])
  })

  it('leaves the variables of the helm client and of Kubernetes service links alone', () => {
    expect(
      parse({
        HELM_CACHE_HOME: '/c',
        HELM_NAMESPACE: 'n',
        HELM_AI_KERNEL_SERVICE_HOST: '10.0.0.1',
        HELM_AI_KERNEL_PORT: 'tcp://10.0.0.1:8080',
        HELM_URL: 'http://127.0.0.1:8080',
        HELM_API_KEY: 'k',
      }).warnings,
    ).toEqual([])
  })

  it('prints every name once, in the help and in the table of the README', () => {
    for (const { name } of Object.values(settings)) {
      expect(configurationMarkdown().split(`\`${name}\``)).toHaveLength(2)
      const named = configurationHelp().filter((line) => /\w+/.exec(line)?.[0] === name)
      expect(named).toHaveLength(1)
    }
  })

  it('has defaults that its own parser takes', () => {
    for (const { kind, default: text } of Object.values(settings)) {
      if (text !== undefined) expect(kind.parse(text), text).toBeDefined()
    }
  })
})
