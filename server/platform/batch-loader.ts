/**
 * Turns many single reads (or writes) into few: one is in flight, and what is asked meanwhile is
 * the next. A key that is asked for twice in one read is read once; objects are each a key of its
 * own. Nothing is kept: every answer is as fresh as its question.
 */
export class BatchLoader<V, K = string> {
  private waiting = new Map<
    K,
    { resolve: (value: V | null) => void; reject: (error: unknown) => void }[]
  >();
  private running = false;
  private begun = -Infinity;

  /**
   * @param read answers the keys it finds; the others are null. @param most keys of one read.
   * @param rest the fewest ms between the beginnings of two reads: a command costs a process as
   * much as ten keys, so under load few and full ones are the quicker way
   */
  constructor(
    private readonly read: (keys: K[]) => Promise<Map<K, V>>,
    private readonly most = 500,
    private readonly rest = 0,
  ) {}

  load(key: K): Promise<V | null> {
    return new Promise((resolve, reject) => {
      const known = this.waiting.get(key);
      if (known) known.push({ resolve, reject });
      else this.waiting.set(key, [{ resolve, reject }]);
      if (this.running) return;
      this.running = true;
      // What is asked in this turn of the event loop joins the first read.
      setImmediate(() => void this.run());
    });
  }

  private async run(): Promise<void> {
    while (this.waiting.size > 0) {
      const wait = this.rest - (performance.now() - this.begun);
      if (wait > 0.5) await new Promise((resolve) => setTimeout(resolve, wait));
      this.begun = performance.now();
      const batch = [...this.waiting].slice(0, this.most);
      for (const [key] of batch) this.waiting.delete(key);
      try {
        const found = await this.read(batch.map(([key]) => key));
        for (const [key, asked] of batch)
          for (const one of asked) one.resolve(found.get(key) ?? null);
      } catch (error) {
        for (const [, asked] of batch) for (const one of asked) one.reject(error);
      }
    }
    this.running = false;
  }
}
