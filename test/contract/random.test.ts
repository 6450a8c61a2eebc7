import { hostRandom } from '@helm-ai-kernel/host'
import { expect, it } from 'vitest'

it('the host’s randomness gives as many bytes as were asked for, and none twice', () => {
  const sizes = [0, 1, 16, 32, 4095, 4096, 4097, 10_000]
  for (const size of sizes) expect(hostRandom.bytes(size)).toHaveLength(size)
  // Across several fillings of whatever pool there is.
  const drawn = Array.from({ length: 2000 }, () =>
    Buffer.from(hostRandom.bytes(16)).toString('hex'),
  )
  expect(new Set(drawn).size).toBe(drawn.length)
  expect(drawn).not.toContain('0'.repeat(32))
})
