/** Waits for all, also when one fails: nothing may be under way when the files are repaired. */
export async function all(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) {
    if (result.status === 'rejected') throw result.reason
  }
}
