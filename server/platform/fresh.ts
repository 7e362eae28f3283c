/** Answers that may be a little old: kept for so many ms, for so many keys, the load shared by all who ask meanwhile. Failures are not kept. */
export class Fresh<V> {
  private readonly kept = new Map<string, { at: number; value: Promise<V> }>();

  constructor(
    private readonly ms: number,
    private readonly most = 1000,
  ) {}

  get(key: string, load: () => Promise<V>): Promise<V> {
    const now = Date.now();
    const known = this.kept.get(key);
    if (known && now - known.at < this.ms) return known.value;
    const value = load();
    value.catch(() => {
      this.kept.delete(key);
    });
    this.kept.delete(key);
    this.kept.set(key, { at: now, value });
    if (this.kept.size > this.most) this.kept.delete(this.kept.keys().next().value as string);
    return value;
  }

  forget(key?: string): void {
    if (key === undefined) this.kept.clear();
    else this.kept.delete(key);
  }
}
