/**
 * Waits for what is about to be so, looking every 20 ms; throws after 30 seconds in vain, unless
 * the test's own time is over first.
 */
export async function until(claim: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 30_000;
  while (!(await claim())) {
    if (Date.now() > end) throw new Error('it never became so');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
