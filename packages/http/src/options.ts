import type {
  Cancel,
  Clock,
  Crypto,
  Digest,
  Kernel,
  KernelSigner,
  KeyId,
  Ledger,
  Random,
  ReceiptStore,
  Tiles,
  Verdict,
} from '@helm-ai-kernel/core'
import type { KeptBundle } from '@helm-ai-kernel/core/evidence'
import type { Reconciler } from '@helm-ai-kernel/core/reconcile'
import type { Credentials } from './auth/credentials.ts'
import type { EventCode } from './problem.ts'

/** What the API is made of. */
export interface AppOptions {
  readonly kernel: Kernel
  readonly receipts: ReceiptStore
  /** Tells that receipts became durable; without it, whoever waits for them looks once a second. */
  readonly watch?: Ledger['watch']
  /** Aborts when the server ends: answers that go on and on end then. */
  readonly ended?: Cancel
  readonly crypto: Crypto
  readonly clock: Clock
  readonly random: Random
  readonly credentials: Credentials
  readonly policy: PolicyAuthority
  /** Where the reconciler is woken; `/internal/policy/reconcile` when absent. */
  readonly wakePath?: string
  /** Whether /internal is on a port of its own (`createInternalApp`), and not on this one. */
  readonly internalApart?: boolean
  /** What is published of the ledger's log. */
  readonly log: Tiles
  /** What evidence packs have beside receipts and log; without it, none are made. */
  readonly evidence?: EvidenceSource
  /** Every key that signed in this ledger, oldest first (design 4.4). */
  readonly keys: () => Promise<readonly KeyInfo[]>
  readonly readiness: () => Readiness
  readonly limits: Limits
  readonly bind: Bind
  /** Whether checkpoint and hash tiles are served without a key. */
  readonly logPublic: boolean
  /** What `/version` answers. */
  readonly build: Build
  /** Told of every answer, for logs and metrics. Must not throw. */
  readonly report: (event: HttpEvent) => void
}

export interface EvidenceSource {
  /** A bundle as it was kept when it was installed; undefined when it was not. */
  readonly policies: (policyHash: Digest) => Promise<KeptBundle | undefined>
  /** Gives the salts of receipts that this key signed; without it, none are disclosed. */
  readonly salts?: Pick<KernelSigner, 'keyId' | 'salt'>
}

/** What the health port is made of. */
export type HealthOptions = Pick<
  AppOptions,
  'kernel' | 'clock' | 'random' | 'credentials' | 'readiness' | 'report'
>

/** What the internal port is made of. */
export type InternalOptions = Pick<
  AppOptions,
  'credentials' | 'clock' | 'random' | 'policy' | 'wakePath' | 'limits' | 'bind' | 'report'
>

/** What the metrics port is made of. */
export type MetricsOptions = Pick<AppOptions, 'clock' | 'random' | 'bind' | 'report'> & {
  readonly metrics: () => Promise<Exposition>
}

/** Every metric, as text. */
export interface Exposition {
  readonly contentType: string
  readonly body: string
}

/** Who alone decides which policy is installed; it can be asked, and it can be woken. */
export type PolicyAuthority = Pick<Reconciler, 'wake' | 'status' | 'statuses'>

export interface Limits {
  /** Requests with a credential that are being answered at one moment. */
  readonly maxInFlight: number
  readonly maxBodyBytes: number
  /** Per credential; undefined for no limit. */
  readonly ratePerSecond: number | undefined
}

export interface Bind {
  /** Bound to a loopback address: `Host` must then be a loopback name. */
  readonly loopback: boolean
  /** Origins of other sites whose pages may call, such as `https://console.example`. */
  readonly corsOrigins: readonly string[]
}

export interface Build {
  readonly version: string
  readonly [member: string]: string
}

/** A key of the ledger; hex is lower case. */
export interface KeyInfo {
  readonly key_id: KeyId
  readonly public_key: string
  readonly log_public_key: string
  /** The log key as C2SP log tools take it. */
  readonly log_vkey?: string
  /** Whether the key before vouched for this one. */
  readonly endorsed?: boolean
  /** Log index of the first receipt under this key, and of the last; null while it signs. */
  readonly first_index: number
  readonly last_index: number | null
}

export interface Readiness {
  readonly ready: boolean
  /** Why it is not. */
  readonly reasons: readonly Finding[]
  readonly warnings: readonly Finding[]
}

/** `check` and `code` are shown to everybody, `detail` and `fix` to whoever may read the scope. */
export interface Finding {
  /** One word: `policy`, `ledger`, `key`. */
  readonly check: string
  readonly code: string
  readonly detail: string
  readonly fix: string
}

/** One answer. It never holds a secret, an argument or a body. */
export interface HttpEvent {
  readonly status: number
  readonly method: string
  /** The pattern that matched, never the path itself; `*` when none did. */
  readonly route: string
  /** Of the problem or of the decision. */
  readonly code: EventCode | undefined
  /** Of the decision, when it is one. */
  readonly verdict: Verdict | undefined
  readonly ms: number
  readonly correlationId: string
  /** What a 5xx hides from the caller. */
  readonly cause: unknown
}
