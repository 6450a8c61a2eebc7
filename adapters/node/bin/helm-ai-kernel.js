#!/usr/bin/env node
// Committed, because npm links a bin only when its file is there before the build. The build runs in
// this process: no child, so that signals and exit codes are its own.
import { existsSync } from 'node:fs'

const main = new URL('../dist/main.js', import.meta.url)
if (existsSync(main)) await import(main.href)
else {
  process.stderr.write('helm-ai-kernel is not built yet: run `npm run build` in the repository\n')
  process.exitCode = 2
}
