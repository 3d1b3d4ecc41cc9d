/**
 * Does `task` for 0 … count−1 in batches of 1, 2, 4, …, each at once: where the first fails (a quota, a bad template), few are tried in vain.
 * Gives how many succeeded and the first error; what comes after a failed batch is not tried.
 */
export async function slowStart(count: number, task: (index: number) => Promise<void>): Promise<{ done: number; error: unknown }> {
  let done = 0;
  for (let size = 1; done < count; size *= 2) {
    const batch = Math.min(size, count - done);
    const results = await Promise.allSettled(Array.from({ length: batch }, (_, index) => task(done + index)));
    const failed = results.filter((result) => result.status === 'rejected');
    done += batch - failed.length;
    if (failed[0] !== undefined) return { done, error: failed[0].reason };
  }
  return { done, error: undefined };
}
