import fs from 'node:fs/promises'
import { join } from 'node:path'
import {
  canonical,
  canonicalBytes,
  digest,
  encodeHex,
  encodeUtf8,
  type Json,
  type KernelSigner,
  type PolicyCode,
  type Scope,
  scopeKey,
  scopeOf,
  signer,
  timestamp,
} from '@helm-ai-kernel/core'
import { nodeCrypto } from '@helm-ai-kernel/host'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startControlPlane, type TestControlPlane } from '../support/control-plane.ts'
import { policySigner, sampleRules } from '../support/kernel.ts'
import { body, type Manner, status } from '../support/misbehaviour.ts'
import { scope } from '../support/policy.ts'
import {
  type Decided,
  fromControlPlane,
  secrets,
  startServer,
  temporaryFolder,
  type TestServer,
  type Woken,
} from '../support/server.ts'

// What somebody who owns the delivery of policy, but no policy key, can do to a whole server that has
// signed policy at epoch 7: nothing, and each attempt has its code. `npx vitest run` prints the table.

const modes = ['keepLastKnownGood', 'deny'] as const

type Members = Readonly<Record<string, Json>>

/** What a control plane answers from now on. */
interface Delivery {
  /** A text is sent as it is. */
  readonly head: Members | string
  readonly bytes: Uint8Array
  /** The listing; none is offered when absent. */
  readonly scopes?: string
}

/** A delivery whose head can be read. */
interface Offer extends Delivery {
  readonly head: Members
}

/** The kernel that is attacked. */
interface Victim {
  readonly env: (folder: string) => Promise<Readonly<Record<string, string>>>
  /** Installed before epoch 7. */
  readonly before?: readonly Delivery[]
  /** What it takes at an epoch. */
  readonly proper: (epoch: number) => Delivery
}

/** How an attempt ends that was `hostile`, `refused` or else. */
const ends = {
  hostile: { status: 'invalid', wake: 422, closes: true },
  refused: { status: 'invalid', wake: 422, closes: true },
  uncompiled: { status: 'compile_error', wake: 422, closes: true },
  untested: { status: 'validate_error', wake: 422, closes: true },
  unread: { status: 'source_error', wake: 503, closes: false },
  unlisted: { status: 'no_change', wake: 200, closes: false },
} as const

interface Attack extends Circumstances {
  readonly what: string
  readonly as: keyof typeof ends
  readonly code: PolicyCode
  readonly send: Delivery
}

interface Circumstances {
  /** `plain` when absent. */
  readonly victim?: Victim
  /** What the reason must say. */
  readonly says?: string
  /** The server is started again with these settings while the attack is there. */
  readonly restart?: Readonly<Record<string, string>>
}

type Row = (what: string, code: PolicyCode, send: Delivery, more?: Circumstances) => Attack

function ending(as: keyof typeof ends): Row {
  return (what, code, send, more = {}) => ({ what, as, code, send, ...more })
}

const minute = 60_000
const hour = 60 * minute
const begun = Date.now()
const at = (ms: number): string => timestamp(begun + ms)
const second = signer(new Uint8Array(32).fill(10))
const stranger = signer(new Uint8Array(32).fill(13))
const home = { tenant_id: 'default', workspace_id: 'default' }
const foreign = { tenant_id: 'acme', workspace_id: 'prod' }

function documentOf(policy_epoch: number, more: Members = {}): Members {
  return { type: 'helm.policy-bundle/v1', scope: home, policy_epoch, rules: sampleRules, ...more }
}

function bytesOf(policy_epoch: number, more: Members = {}): Uint8Array {
  return canonicalBytes(documentOf(policy_epoch, more))
}

function signatureOf(bytes: Uint8Array, key: KernelSigner = policySigner): string {
  return encodeHex(key.sign(bytes))
}

/** Signatures that name their keys. */
function listed(bytes: Uint8Array, ...keys: readonly KernelSigner[]): Json {
  return keys.map((key) => ({ key_id: key.keyId, signature: signatureOf(bytes, key) }))
}

/** Bytes, and the head that an honest control plane gives them but for `more`; null leaves a member out. */
function offer(bytes: Uint8Array, policy_epoch: number, more: Members = {}): Offer {
  const head: Members = {
    scope: home,
    policy_epoch,
    policy_hash: digest(nodeCrypto, bytes),
    bundle_ref: `bundle ${policy_epoch}`,
    signature: signatureOf(bytes),
    ...more,
  }
  const members = Object.entries(head).filter(([, value]) => value !== null)
  return { bytes, head: Object.fromEntries(members) }
}

/** A bundle that is properly signed. */
function signed(policyEpoch: number, more: Members = {}, inHead: Members = {}): Offer {
  return offer(bytesOf(policyEpoch, more), policyEpoch, inHead)
}

const seven = bytesOf(7)
const eight = bytesOf(8)

const plain: Victim = { env: async () => ({}), proper: (epoch) => signed(epoch) }
const audience: Victim = {
  env: async () => ({ HELM_POLICY_AUDIENCE: 'prod-eu' }),
  proper: (epoch) => signed(epoch, { audience: ['prod-eu'] }),
}
const shortLived: Victim = {
  env: async () => ({ HELM_POLICY_MAX_LIFETIME: '24h' }),
  proper: (epoch) => signed(epoch, { issued_at: at(0), expires_at: at(24 * hour) }),
}
const byTwo: Victim = {
  env: (folder) => trustRoot(folder, 2, [policySigner, ['*']], [second, ['*']]),
  proper: (epoch) => bySigners(epoch, policySigner, second),
}
const byScope: Victim = {
  env: (folder) => trustRoot(folder, 1, [policySigner, ['*']], [second, ['acme/*']]),
  proper: (epoch) => signed(epoch),
}
const listing: Victim = {
  env: async () => ({}),
  proper: (epoch) => ({ ...signed(epoch), scopes: JSON.stringify({ scopes: [home] }) }),
}
const listingForAll: Victim = { ...listing, env: async () => ({ HELM_READY_SCOPES: 'all' }) }

function bySigners(epoch: number, ...keys: readonly KernelSigner[]): Delivery {
  const bytes = bytesOf(epoch)
  return offer(bytes, epoch, { signature: null, signatures: listed(bytes, ...keys) })
}

async function trustRoot(
  folder: string,
  threshold: number,
  ...keys: readonly (readonly [KernelSigner, readonly string[]])[]
): Promise<Readonly<Record<string, string>>> {
  const path = join(folder, 'trust.json')
  const list = keys.map(([key, scopes]) => ({
    key_id: key.keyId,
    public_key: encodeHex(key.publicKey),
    scopes,
  }))
  const root = { type: 'helm.trust-root/v1', version: 1, threshold, keys: list }
  await fs.writeFile(path, canonicalBytes(root))
  return { HELM_POLICY_TRUST_PUBLIC_KEY: '', HELM_POLICY_TRUST_ROOT: path }
}

const noKeys = { HELM_POLICY_TRUST_PUBLIC_KEY: '', HELM_POLICY_SIGNATURE_REQUIRED: 'false' }
const hostile = ending('hostile')
const refused = ending('refused')

const stale: readonly Attack[] = [
  hostile('rollback: epoch 6', 'EPOCH_ROLLBACK', signed(6)),
  hostile('replay: epoch 6, once installed, with its head', 'EPOCH_ROLLBACK', signed(6), {
    victim: { ...plain, before: [signed(6)] },
  }),
  hostile('equivocation: other bytes at 7', 'EPOCH_EQUIVOCATION', signed(7, { rules: [] })),
  hostile('a jump of more than 2^32 epochs', 'EPOCH_JUMP', signed(7 + 2 ** 32 + 1)),
]

const forOthers: readonly Attack[] = [
  hostile('a foreign scope in the head', 'SCOPE_MISMATCH', signed(8, {}, { scope: foreign })),
  hostile('a foreign scope in the bundle', 'SCOPE_MISMATCH', signed(8, { scope: foreign })),
  hostile(
    'a foreign scope in both',
    'SCOPE_MISMATCH',
    signed(8, { scope: foreign }, { scope: foreign }),
  ),
  refused('an audience, to a kernel of none', 'AUDIENCE_MISMATCH', signed(8, { audience: ['x'] })),
  refused('no audience, to a kernel of one', 'AUDIENCE_MISMATCH', signed(8), { victim: audience }),
  refused('another audience', 'AUDIENCE_MISMATCH', signed(8, { audience: ['prod-eu2'] }), {
    victim: audience,
  }),
]

const mixed: readonly Attack[] = [
  hostile('the head of 8, the bytes of 7', 'HASH_MISMATCH', { ...signed(8), bytes: seven }),
  hostile('the head of 8, no bytes', 'HASH_MISMATCH', { ...signed(8), bytes: new Uint8Array() }),
  hostile('a head of 8 that has hash and bytes of 7', 'EPOCH_MISMATCH', offer(seven, 8)),
  hostile('a head of 8 that has hash and bytes of 6', 'EPOCH_MISMATCH', offer(bytesOf(6), 8)),
  hostile('a head of 9 that has hash and bytes of 8', 'EPOCH_MISMATCH', offer(eight, 9)),
]

const withSignature = (signature: Json): Delivery => signed(8, {}, { signature })
const withSignatures = (signatures: Json): Delivery =>
  signed(8, {}, { signature: null, signatures })
const usurped = [{ key_id: policySigner.keyId, signature: signatureOf(eight, stranger) }]

const unsigned: readonly Attack[] = [
  refused('the signature removed', 'SIGNATURE_MISSING', withSignature(null)),
  refused(
    'the signature removed from what is installed',
    'SIGNATURE_MISSING',
    signed(7, {}, { signature: null }),
  ),
  hostile(
    'a wrong key over what is installed',
    'SIGNATURE_INVALID',
    signed(7, {}, { signature: signatureOf(seven, stranger) }),
  ),
  hostile('a wrong key', 'SIGNATURE_INVALID', withSignature(signatureOf(eight, stranger))),
  hostile('a wrong key, named', 'KEY_UNTRUSTED', withSignatures(listed(eight, stranger))),
  hostile('a wrong key under a trusted name', 'SIGNATURE_INVALID', withSignatures(usurped)),
  hostile('a signature over other bytes', 'SIGNATURE_INVALID', withSignature(signatureOf(seven))),
  hostile(
    'a signature over the hash',
    'SIGNATURE_INVALID',
    withSignature(signatureOf(encodeUtf8(digest(nodeCrypto, eight)))),
  ),
  hostile('a signature of zeros', 'SIGNATURE_INVALID', withSignature('00'.repeat(64))),
  hostile('half a signature', 'SIGNATURE_INVALID', withSignature('00'.repeat(32))),
  hostile('a key trusted for another scope', 'KEY_UNTRUSTED', bySigners(8, second), {
    victim: byScope,
  }),
  refused('one key where two must sign', 'THRESHOLD_NOT_MET', bySigners(8, policySigner), {
    victim: byTwo,
  }),
  refused(
    'the same key twice where two must sign',
    'THRESHOLD_NOT_MET',
    bySigners(8, policySigner, policySigner),
    { victim: byTwo },
  ),
  refused(
    'a key and a stranger where two must sign',
    'THRESHOLD_NOT_MET',
    bySigners(8, policySigner, stranger),
    { victim: byTwo },
  ),
]

/** Epoch 8 in other bytes, properly signed. */
function variant(
  what: string,
  change: (text: string) => string,
  code: PolicyCode,
  says: string,
): Attack {
  const bytes = encodeUtf8(change(canonical(documentOf(8))))
  return refused(`signed, ${what}`, code, offer(bytes, 8), { says })
}

const epoch = '"policy_epoch":8'
const misspelt: readonly Attack[] = [
  variant('white space', (text) => text.replace(':', ': '), 'NOT_CANONICAL', 'white space'),
  variant('a trailing newline', (text) => `${text}\n`, 'NOT_CANONICAL', 'a trailing newline'),
  variant(
    'members in another order',
    (text) => text.replace(`{${epoch},`, '{').replace(/}$/, `,${epoch}}`),
    'NOT_CANONICAL',
    'member "policy_epoch" after "type"',
  ),
  variant(
    'an escaped letter',
    (text) => text.replace('ticket', '\\u0074icket'),
    'NOT_CANONICAL',
    '\\u0074 is written t',
  ),
  variant('8.0 for 8', (text) => text.replace(epoch, `${epoch}.0`), 'NOT_CANONICAL', '8.0'),
  variant(
    'a member twice',
    (text) => text.replace(epoch, `${epoch},${epoch}`),
    'BUNDLE_MALFORMED',
    'member "policy_epoch" twice',
  ),
  variant('a byte order mark', (text) => `\ufeff${text}`, 'BUNDLE_MALFORMED', 'byte order mark'),
  refused('signed, an unknown member', 'BUNDLE_MALFORMED', signed(8, { break_glass: true }), {
    says: 'break_glass',
  }),
  refused(
    'signed, an unknown member in a rule',
    'BUNDLE_MALFORMED',
    signed(8, { rules: [{ id: 'r', effect: 'DENY', actions: ['*'], unless: 'x' }] }),
    { says: 'rules[0].unless' },
  ),
]

const notForNow: readonly Attack[] = [
  refused('expired', 'BUNDLE_EXPIRED', signed(8, { expires_at: at(-hour) })),
  refused('not yet valid', 'NOT_YET_VALID', signed(8, { issued_at: at(hour) })),
  refused('no expiry under a maximal lifetime', 'EXPIRY_MISSING', signed(8), {
    victim: shortLived,
  }),
  refused(
    'an expiry without a time of issue, under one',
    'EXPIRY_MISSING',
    signed(8, { expires_at: at(hour) }),
    { victim: shortLived },
  ),
  refused(
    'a longer lifetime than the maximal one',
    'LIFETIME_TOO_LONG',
    signed(8, { issued_at: at(0), expires_at: at(24 * hour + 1) }),
    { victim: shortLived },
  ),
]

const badRule = { id: 'bad-rule', effect: 'ALLOW', actions: ['a'], when: { cel: '1 +' } }
const badTest = {
  name: 'secrets are free',
  request: { principal: 'p', action: 'ticket.read', resource: 'secret:1' },
  expect: { verdict: 'ALLOW' },
}

const ofNoUse: readonly Attack[] = [
  ending('uncompiled')('a rule in no language', 'COMPILE_FAILED', signed(8, { rules: [badRule] }), {
    says: 'bad-rule',
  }),
  ending('untested')('a test that fails', 'SELF_TEST_FAILED', signed(8, { tests: [badTest] }), {
    says: 'secrets are free',
  }),
]

function badHead(what: string, head: Delivery['head'], says: string): Attack {
  return ending('unread')(`a head ${what}`, 'HEAD_MALFORMED', { head, bytes: eight }, { says })
}

const hash = digest(nodeCrypto, eight)
/** By the place that the reason must name: what the member of the head is instead; null for absent. */
const wrongMembers: readonly (readonly [place: string, member: string, ...wrong: Json[]])[] = [
  ['scope', 'scope', null, 'default/default'],
  ['scope.tenant_id', 'scope', { workspace_id: 'a' }, { ...home, tenant_id: '../x' }],
  ['scope.workspace_id', 'scope', { tenant_id: 'a' }, { ...home, workspace_id: 1 }],
  ['policy_epoch', 'policy_epoch', null, 0, 8.5, '8'],
  ['policy_hash', 'policy_hash', null, hash.toUpperCase(), hash.slice(7), 'sha512:00'],
  ['bundle_ref', 'bundle_ref', 1, 'x'.repeat(2049)],
  ['signature', 'signature', 1],
]

const misread: readonly Attack[] = [
  ...wrongMembers.flatMap(([place, member, ...wrong]) =>
    wrong.map((value) => {
      const shown = value === null ? 'absent' : JSON.stringify(value).slice(0, 40)
      const { head } = signed(8, {}, { [member]: value })
      return badHead(`whose ${member} is ${shown}`, head, place)
    }),
  ),
  badHead('with both forms of signature', signed(8, {}, { signatures: [] }).head, 'not both'),
  badHead('that is no object', '[]', 'head'),
  badHead('with a member twice', '{"policy_epoch":7,"policy_epoch":8}', '"policy_epoch" twice'),
]

/** Adds and withdraws nothing; the scopes that are known are asked for all the same. */
function badListing(what: string, scopes: string, victim: Victim = listing): Attack {
  return ending('unlisted')(
    `a listing ${what}`,
    'HEAD_MALFORMED',
    { ...signed(7), scopes },
    { victim },
  )
}

const mislisted: readonly Attack[] = [
  badListing('that is empty', ''),
  badListing('of names', '["default/default"]'),
  badListing('that is an object', '{"scopes":{}}'),
  badListing('that goes on', '{"scopes":[],"has_more":true}'),
  badListing('with half a scope', '[{"tenant_id":"default"}]'),
  badListing('with half a scope, where all must be ready', '[{}]', listingForAll),
]

/** Whoever can set the environment and restart the kernel takes the keys away. */
const disarmed: readonly Attack[] = [
  refused('unsigned, trust keys removed, restart', 'SIGNATURE_MISSING', withSignature(null), {
    restart: noKeys,
  }),
  refused(
    'epoch 7 unsigned, trust keys removed, restart',
    'SIGNATURE_MISSING',
    signed(7, {}, { signature: null }),
    { restart: noKeys },
  ),
  refused(
    'signed by a stranger, trust keys removed, restart',
    'SIGNATURE_MISSING',
    withSignature(signatureOf(eight, stranger)),
    { restart: noKeys },
  ),
  refused(
    'the same, but signatures are required',
    'TRUST_KEY_MISSING',
    withSignature(signatureOf(eight, stranger)),
    { restart: { HELM_POLICY_TRUST_PUBLIC_KEY: '' }, says: 'HELM_POLICY_TRUST_PUBLIC_KEY' },
  ),
]

const attacks: readonly Attack[] = [
  ...stale,
  ...forOthers,
  ...mixed,
  ...unsigned,
  ...misspelt,
  ...notForNow,
  ...ofNoUse,
  ...misread,
  ...mislisted,
  ...disarmed,
]

/** A bundle of one of many scopes, with more than 4,096 bits. */
function ownOf({ tenantId: tenant_id, workspaceId: workspace_id }: Scope, epoch: number): Offer {
  const own = { tenant_id, workspace_id }
  return signed(epoch, { scope: own, metadata: { note: 'x'.repeat(256) } }, { scope: own })
}

interface Flips {
  readonly what: string
  readonly code: PolicyCode
  readonly bits: number
  readonly flip: (offer: Offer, bit: number) => Offer
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  return bytes.map((byte, i) => (i === bit >> 3 ? byte ^ (0x80 >> (bit & 7)) : byte))
}

const flips: readonly Flips[] = [
  {
    what: 'each of the first 4,096 bits flipped',
    code: 'HASH_MISMATCH',
    bits: 4096,
    flip: ({ head, bytes }, bit) => ({ head, bytes: flipped(bytes, bit) }),
  },
  {
    what: 'the same, under a head with their hash',
    code: 'SIGNATURE_INVALID',
    bits: 4096,
    flip({ head, bytes }, bit) {
      const other = flipped(bytes, bit)
      return { bytes: other, head: { ...head, policy_hash: digest(nodeCrypto, other) } }
    },
  },
  {
    what: 'each of the 512 bits of the signature flipped',
    code: 'SIGNATURE_INVALID',
    bits: 512,
    flip({ head, bytes }, bit) {
      const { signature: hex } = head
      const signature = flipped(Buffer.from(typeof hex === 'string' ? hex : '', 'hex'), bit)
      return { bytes, head: { ...head, signature: encodeHex(signature) } }
    },
  },
]

let folder: string
let plane: TestControlPlane
let server: TestServer | undefined

beforeEach(async () => {
  folder = await temporaryFolder()
  plane = await startControlPlane()
  plane.requireToken(secrets.planeToken)
})

afterEach(async () => {
  await server?.close()
  server = undefined
  await plane.close()
  await fs.rm(folder, { recursive: true, force: true })
})

function deliver({ head, bytes, scopes }: Delivery): void {
  plane.on('head', body(typeof head === 'string' ? head : JSON.stringify(head)))
  plane.on('bundle', body(bytes))
  plane.on('scopes', scopes === undefined ? status(404) : body(scopes))
}

/** A server over the data of the test, which takes one delivery after the other. */
async function startOn(
  deliveries: readonly Delivery[],
  env: Readonly<Record<string, string>>,
): Promise<TestServer> {
  const [first, ...later] = deliveries
  if (first !== undefined) deliver(first)
  const started = await startServer(join(folder, 'data'), {
    ...fromControlPlane(plane.url),
    ...env,
  })
  server = started
  for (const delivery of later) {
    deliver(delivery)
    await started.wake(scope)
  }
  return started
}

/** What an attack came to, as it was observed. */
interface Observed {
  readonly what: string
  readonly code: string
  readonly wake: string
  readonly readyz: string
  readonly decisions: string
}

describe.each(modes)('an attack on policy, under %s,', (mode) => {
  const table: Observed[] = []
  const env = { HELM_POLICY_ON_INVALID_UPDATE: mode }

  afterAll(() => console.log(`\nHELM_POLICY_ON_INVALID_UPDATE=${mode}\n${printed(table)}`))

  it.each(attacks)('$what', async (attack) => {
    const { what, as, code, send, victim = plain, says = '', restart } = attack
    const { status: ended, wake, closes } = ends[as]
    const own = { ...env, ...(await victim.env(folder)) }
    const seventh = victim.proper(7)
    const installed = digest(nodeCrypto, seventh.bytes)
    let target = await startOn([...(victim.before ?? []), seventh], own)
    expect(await target.evaluate()).toMatchObject({ verdict: 'ALLOW', policy_hash: installed })

    deliver(send)
    if (restart !== undefined) {
      await target.close()
      target = await startOn([send], { ...own, ...restart })
    }
    // Twice, since the second time must be as the first.
    await target.wake()
    const woken = await target.wake()
    const { status: told } = woken
    const ready = await target.readyz()
    const decision = await target.evaluate()
    table.push(observed(what, woken, ready, decision))

    // What the operator is told.
    expect([woken.http, told.reconcile_status]).toEqual([wake, ended])
    const isListing = as === 'unlisted'
    if (isListing) {
      expect(told).not.toHaveProperty('reason_code')
      expect(target.text()).toContain('the scopes cannot be listed: ')
    } else expect([told.reason_code, told.reason]).toEqual([code, expect.stringContaining(says)])

    // What is in force.
    const isOpen = restart === undefined && !(closes && mode === 'deny')
    const denial = restart === undefined ? 'POLICY_INVALIDATED' : 'POLICY_NOT_READY'
    expect(told.snapshot_status).toBe(isOpen ? 'active' : restart ? 'no_policy' : 'invalid')
    expect(decision).toMatchObject(
      isOpen ? { verdict: 'ALLOW' } : { verdict: 'DENY', reason_code: denial },
    )
    const receipt = await target.receipt(decision.receipt_id)
    expect(receipt).toMatchObject({ verdict: decision.verdict, reason_code: decision.reason_code })
    if (restart === undefined) {
      expect(told).toMatchObject({ installed_policy_epoch: 7, installed_policy_hash: installed })
      expect(receipt).toMatchObject({
        policy_epoch: 7,
        policy_hash: installed,
        policy_signed: true,
      })
    }

    // Who may send requests.
    const isReady = isOpen && victim !== listingForAll
    expect([ready.http, ready.ready]).toEqual(isReady ? [200, true] : [503, false])
    const findings = (isReady ? ready.warnings : ready.reasons).map((finding) => finding.code)
    if (!isListing || !isReady) expect(findings).toContain(code)

    // What is written down.
    expect(await target.receipts('rejection')).toMatchObject(
      closes
        ? [
            {
              reason_code: code,
              desired_epoch: told.desired_policy_epoch ?? null,
              desired_hash: told.desired_policy_hash ?? null,
              source: 'controlplane',
            },
          ]
        : [],
    )
    const isHostile = as === 'hostile'
    const counted = await target.metric(`helm_policy_hostile_total{reason_code="${code}"}`)
    expect(counted).toBe(isHostile ? 2 : 0)
    const errors = target.lines().filter((line) => line.level === 'error')
    expect(errors.map((line) => line['code'])).toEqual(isListing ? [] : [code])
    expect(errors.some((line) => line.message.includes('no honest source'))).toBe(isHostile)
    for (const secret of Object.values(secrets)) {
      expect(target.text() + JSON.stringify([woken, ready, decision])).not.toContain(secret)
    }

    // The attack leaves no mark: what is properly delivered is installed.
    if (restart === undefined) {
      deliver(victim.proper(9))
      expect((await target.wake()).http).toBe(200)
      expect(await target.evaluate()).toMatchObject({ verdict: 'ALLOW', policy_epoch: 9 })
    }
  })

  it.each(flips)('$what', async ({ what, code, bits, flip }) => {
    const scopes = Array.from({ length: 64 }, (_, i) => scopeOf('flips', `s${i}`))
    const [first = scope] = scopes
    const offers = new Map(scopes.map((one) => [scopeKey(one), ownOf(one, 7)]))
    const newer = scopes.map((one) => ({ key: scopeKey(one), offer: ownOf(one, 8) }))
    serveEach(offers)
    const target = await startServer(join(folder, 'data'), {
      ...fromControlPlane(plane.url),
      ...env,
      HELM_POLICY_SCOPES: scopes.map(scopeKey).join(),
      HELM_RUNTIME_TENANT_ID: first.tenantId,
      HELM_RUNTIME_WORKSPACE_ID: first.workspaceId,
    })
    server = target
    const installed = (await target.wake()).statuses.map((one) => one.installed_policy_hash)
    expect(new Set(installed).size).toBe(scopes.length)

    // Each scope has a bit of its own flipped, and then the next; closed ones need one round of them.
    const stride = mode === 'deny' ? bits / scopes.length : 1
    const stays = mode === 'deny' ? 'invalid' : 'active'
    let woken: Woken | undefined
    for (let bit = 0; bit < bits; bit += scopes.length * stride) {
      for (const [i, { key, offer }] of newer.entries()) {
        offers.set(key, flip(offer, bit + i * stride))
      }
      woken = await target.wake()
      const seen = woken.statuses.map((one) => `${one.reason_code} ${one.snapshot_status}`)
      expect([bit, woken.http, ...new Set(seen)]).toEqual([bit, 422, `${code} ${stays}`])
      expect(woken.statuses.map((one) => one.installed_policy_hash)).toEqual(installed)
    }
    if (woken !== undefined) {
      const shown = mode === 'deny' ? `${what}: ${scopes.length} of them` : what
      table.push(observed(shown, woken, await target.readyz(), await target.evaluate()))
    }
    expect(table.at(-1)?.decisions).toBe(mode === 'deny' ? 'DENY POLICY_INVALIDATED' : 'ALLOW by 7')
  })

  it('of many kinds is written down for each cause, ten times an hour at most', async () => {
    const target = await startOn([signed(7)], env)
    for (let epoch = 8; epoch < 22; epoch++) {
      deliver(signed(epoch, {}, { signature: '00'.repeat(64) }))
      expect((await target.wake()).status.reason_code).toBe('SIGNATURE_INVALID')
    }
    const told = await target.receipts('rejection')
    expect(told.map((receipt) => receipt['desired_epoch'])).toEqual([
      8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
    ])
    const counted = await target.metric(
      'helm_policy_hostile_total{reason_code="SIGNATURE_INVALID"}',
    )
    expect(counted).toBe(14)
  })
})

/** Each scope has an offer of its own. */
function serveEach(offers: ReadonlyMap<string, Offer>): void {
  const each =
    (answer: (offer: Offer) => Uint8Array | string): Manner =>
    (exchange) => {
      const query = new URL(exchange.request.url ?? '/', 'http://localhost').searchParams
      const found = offers.get(`${query.get('tenant_id')}/${query.get('workspace_id')}`)
      const manner = found === undefined ? status(404) : body(answer(found))
      manner(exchange)
    }
  plane.on(
    'head',
    each(({ head }) => JSON.stringify(head)),
  )
  plane.on(
    'bundle',
    each(({ bytes }) => bytes),
  )
}

function observed(
  what: string,
  { http, status: { reason_code: code } }: Woken,
  { http: readyz, reasons, warnings }: Awaited<ReturnType<TestServer['readyz']>>,
  { verdict, reason_code, policy_epoch }: Decided,
): Observed {
  const isPolicy = ({ check }: { readonly check: string }): boolean => check === 'policy'
  const [reason] = reasons.filter(isPolicy)
  const [warning] = warnings.filter(isPolicy)
  const named = reason === undefined ? warning && `, warning ${warning.code}` : ` ${reason.code}`
  return {
    what,
    code: code ?? '-',
    wake: String(http),
    readyz: `${readyz}${named ?? ''}`,
    decisions: verdict === 'ALLOW' ? `ALLOW by ${policy_epoch}` : `${verdict} ${reason_code}`,
  }
}

function printed(rows: readonly Observed[]): string {
  const titles = {
    what: 'what was sent',
    code: 'reason code',
    wake: 'wake',
    readyz: 'readyz',
    decisions: 'decisions',
  }
  const columns = Object.keys(titles) as (keyof Observed)[]
  const all = [titles, ...rows]
  const width = (column: keyof Observed): number =>
    Math.max(...all.map((row) => row[column].length))
  const line = (row: Observed): string =>
    columns.map((column) => row[column].padEnd(width(column))).join(' | ')
  return all.map(line).join('\n')
}
