import { spawnSync } from 'node:child_process'

/** Why no system call can be made to fail on this machine; undefined when it can. */
export function whyNoStrace(): string | undefined {
  const { status, error } = spawnSync('strace', ['-qq', '-o', '/dev/null', 'true'])
  if (error !== undefined) return 'strace is not installed'
  return status === 0 ? undefined : 'strace may not trace here'
}
