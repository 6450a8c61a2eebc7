// The whole test command: each static check counts as one test, and the last line is the sum.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = new URL('..', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'helm-test-'))
const report = join(folder, 'report.json')
const total = { passed: 0, failed: 0, skipped: 0 }

for (const check of ['build', 'types', 'lint', 'format']) {
  console.log(`\n> ${check}`)
  const { status } = run('npm', ['run', '--silent', check])
  if (status === 0) total.passed++
  else total.failed++
}

console.log('\n> tests')
const { status } = run('npx', [
  'vitest',
  'run',
  '--config=.config/vitest.config.ts',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${report}`,
  ...process.argv.slice(2),
])
let counted = 0
try {
  const results = JSON.parse(readFileSync(report, 'utf8'))
  counted = results.numPassedTests
  total.passed += results.numPassedTests
  total.failed += results.numFailedTests
  total.skipped += results.numPendingTests + results.numTodoTests
} catch {
  console.error('the test runner left no report')
}
rmSync(folder, { recursive: true, force: true })
// A file that does not load has no failed test; nor has a run that found nothing.
if ((status !== 0 && total.failed === 0) || counted === 0) total.failed++

console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = total.failed === 0 ? 0 : 1

function run(command, args) {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit' })
}
