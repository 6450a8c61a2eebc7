import { KernelError } from '../../packages/core/src/error.ts'

/** The KernelError that `run` throws. */
export function refusal(run: () => unknown): KernelError {
  try {
    run()
  } catch (error) {
    if (error instanceof KernelError) return error
    throw error
  }
  throw new Error('nothing was refused')
}
