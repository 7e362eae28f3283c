/**
 * Waits 5 to 50 ms, at random, before the store is asked again: what refused an insert may not be
 * visible to a majority read yet, and processes that meet at one fan must not meet again at once
 * (LEDGER 2).
 */
export const jitter = (): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 45));
