import { buffer } from 'node:stream/consumers'
import { type Io, runCli } from '@helm-ai-kernel/cli'
import { hostCommands } from '@helm-ai-kernel/host'
import { nodeRuntime } from './runtime.ts'

const io: Io = {
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  env: process.env,
  isTty: process.stdout.isTTY,
  cwd: process.cwd(),
  async readStdin() {
    return new Uint8Array(await buffer(process.stdin))
  },
}

// Whoever read the output may go away (`| head`): that ends no server and fails no command.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)

process.exitCode = await runCli(process.argv.slice(2), io, hostCommands(nodeRuntime))
// What still hangs, such as a disk, does not keep the process.
setTimeout(() => process.exit(), 1000).unref()
