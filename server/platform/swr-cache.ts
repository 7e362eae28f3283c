interface Kept<V> {
  at: number;
  value: Promise<V>;
  /** A newer answer is being loaded. */
  renewing: boolean;
}

/**
 * Answers that may be a little old: kept for so many ms, for so many keys, the load shared by all
 * who ask meanwhile. What is asked for in the second half of its time is loaded anew beside the
 * answer, so that nobody waits for what many ask. Failures are not kept.
 */
export class SwrCache<V> {
  private readonly kept = new Map<string, Kept<V>>();

  /**
   * @param ms how old an answer may be @param most keys kept, the longest unasked-for go first
   * @param now the time in ms, where tests steer it
   */
  constructor(
    private readonly ms: number,
    private readonly most = 1000,
    private readonly now: () => number = Date.now,
  ) {}

  get(key: string, load: () => Promise<V>): Promise<V> {
    const now = this.now();
    const known = this.kept.get(key);
    // A clock that was set back makes an answer as doubtful as an old one.
    const age = known ? Math.abs(now - known.at) : Infinity;
    if (!known || age >= this.ms)
      return this.keep(key, { at: now, value: load(), renewing: false });
    if (age >= this.ms / 2 && !known.renewing) {
      known.renewing = true;
      const next = { at: now, value: load(), renewing: false };
      next.value.then(
        () => {
          // Forgotten or replaced meanwhile: what was read before the news is kept for nobody.
          if (this.kept.get(key) === known) void this.keep(key, next);
        },
        () => undefined,
      );
    }
    return known.value;
  }

  private keep(key: string, entry: Kept<V>): Promise<V> {
    entry.value.catch(() => {
      if (this.kept.get(key) === entry) this.kept.delete(key);
    });
    this.kept.delete(key);
    this.kept.set(key, entry);
    if (this.kept.size > this.most) this.kept.delete(this.kept.keys().next().value as string);
    return entry.value;
  }

  /**
   * Forgets one answer, or all: news have come. A load under way is still told to those who wait
   * for it, and to nobody later.
   */
  invalidate(key?: string): void {
    if (key === undefined) this.kept.clear();
    else this.kept.delete(key);
  }
}
