import type { Commands } from '../help.ts'
import { bundleBuild } from './bundle-build.ts'
import { bundleDiff } from './bundle-diff.ts'
import { bundleInspect } from './bundle-inspect.ts'
import { bundleSign } from './bundle-sign.ts'
import { bundleTest } from './bundle-test.ts'
import { bundleVerify } from './bundle-verify.ts'
import { completion } from './completion.ts'
import { explain } from './explain.ts'
import { health } from './health.ts'
import { help } from './help.ts'
import { keygen } from './keygen.ts'
import { ledgerVerify } from './ledger-verify.ts'
import { policyForget } from './policy-forget.ts'
import { policyHint } from './policy-hint.ts'
import { policyReconcile } from './policy-reconcile.ts'
import { policyStatus } from './policy-status.ts'
import { receiptsList } from './receipts-list.ts'
import { receiptsShow } from './receipts-show.ts'
import { version } from './version.ts'

/** The commands of this package; `all` are those of the program, for those that tell of others. */
export function commandTable(all: () => Commands): Commands {
  return {
    'bundle build': bundleBuild,
    'bundle diff': bundleDiff,
    'bundle inspect': bundleInspect,
    'bundle sign': bundleSign,
    'bundle test': bundleTest,
    'bundle verify': bundleVerify,
    completion: completion(all),
    explain,
    health,
    help: help(all),
    keygen,
    'ledger verify': ledgerVerify,
    'policy forget': policyForget,
    'policy hint': policyHint,
    'policy reconcile': policyReconcile,
    'policy status': policyStatus,
    'receipts list': receiptsList,
    'receipts show': receiptsShow,
    version,
  }
}
