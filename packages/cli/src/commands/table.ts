import type { Commands } from '../help.ts'
import { bundleBuild } from './bundle-build.ts'
import { bundleDiff } from './bundle-diff.ts'
import { bundleInspect } from './bundle-inspect.ts'
import { bundleSign } from './bundle-sign.ts'
import { bundleTest } from './bundle-test.ts'
import { bundleVerify } from './bundle-verify.ts'
import { completion } from './completion.ts'
import { evidenceExport } from './evidence-export.ts'
import { evidenceVerify } from './evidence-verify.ts'
import { explain } from './explain.ts'
import { health } from './health.ts'
import { help } from './help.ts'
import { keygen } from './keygen.ts'
import { keysRotate } from './keys-rotate.ts'
import { ledgerCopy } from './ledger-copy.ts'
import { ledgerProve } from './ledger-prove.ts'
import { ledgerVerify } from './ledger-verify.ts'
import { ledgerWitness } from './ledger-witness.ts'
import { policyForget } from './policy-forget.ts'
import { policyHint } from './policy-hint.ts'
import { policyReconcile } from './policy-reconcile.ts'
import { policyStatus } from './policy-status.ts'
import { receiptsList } from './receipts-list.ts'
import { receiptsShow } from './receipts-show.ts'
import { receiptsTail } from './receipts-tail.ts'
import { replay } from './replay.ts'
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
    'evidence export': evidenceExport,
    'evidence verify': evidenceVerify,
    explain,
    health,
    help: help(all),
    keygen,
    'keys rotate': keysRotate,
    'ledger copy': ledgerCopy,
    'ledger prove': ledgerProve,
    'ledger verify': ledgerVerify,
    'ledger witness': ledgerWitness,
    'policy forget': policyForget,
    'policy hint': policyHint,
    'policy reconcile': policyReconcile,
    'policy status': policyStatus,
    'receipts list': receiptsList,
    'receipts show': receiptsShow,
    'receipts tail': receiptsTail,
    replay,
    version,
  }
}
