import type { Settings } from './settings.js';

const LOOK_MS = 5000;

/**
 * Counters in the store of what has changed: they say what lost news left unsaid (DESIGN 3). A
 * cache that is forgotten at news and when its counter has moved may be kept for long, and costs
 * one small read every few seconds for all of them together.
 */
export class Changes {
  private readonly listeners = new Map<string, (() => void)[]>();
  private readonly seen = new Map<string, number>();
  private lookedAt = -Infinity;
  private looking: Promise<void> | null = null;

  constructor(
    private readonly settings: Settings,
    private readonly now: () => number = Date.now,
  ) {}

  private static name(kind: string): string {
    return `changed.${kind}`;
  }

  /**
   * Counts a change of this kind and answers its number. To be called after the write, so that
   * whoever sees the count move reads what is new. A record may bear a number that was taken
   * before it is written, and is then found among those of higher numbers: see `CountBefore`.
   */
  mark(kind: string): Promise<number> {
    return this.settings.next(Changes.name(kind));
  }

  /** How many changes of this kind the store has counted. */
  async count(kind: string): Promise<number> {
    return (await this.settings.get<number>(Changes.name(kind))) ?? 0;
  }

  /** Calls `forget` when things of this kind have changed, wherever. */
  on(kind: string, forget: () => void): void {
    this.listeners.set(kind, [...(this.listeners.get(kind) ?? []), forget]);
  }

  /**
   * To be awaited before a cache is read: what it answers then is at most about ten seconds older
   * than the store, and nobody waits for a look except after a pause. Fails as the store does when
   * the pause was long and the store is away.
   */
  async look(): Promise<void> {
    const age = this.now() - this.lookedAt;
    if (age >= 0 && age < LOOK_MS) return;
    this.looking ??= this.read().finally(() => {
      this.looking = null;
    });
    if (age < 0 || age >= 2 * LOOK_MS) await this.looking;
    else this.looking.catch(() => undefined);
  }

  private async read(): Promise<void> {
    const begun = this.now();
    const names = new Map([...this.listeners.keys()].map((kind) => [Changes.name(kind), kind]));
    const counters = await this.settings.many<number>([...names.keys()]);
    this.lookedAt = begun;
    for (const [name, kind] of names) {
      const counter = counters.get(name) ?? 0;
      const known = this.seen.get(kind);
      this.seen.set(kind, counter);
      if (known !== undefined && known !== counter)
        for (const forget of this.listeners.get(kind) ?? []) forget();
    }
  }
}

/**
 * How far a count of changes was some time ago. A change is numbered first and written then, so
 * whoever reads on from where the last look ended would miss one that was being written: each look
 * begins where the count was as long ago as a write may take.
 */
export class CountBefore {
  private readonly looks: { at: number; to: number }[] = [];

  /** @param ms how long ago; @param now a clock that is never set */
  constructor(
    private readonly ms: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** A look found the count at `to`. */
  note(to: number): void {
    const now = this.now();
    this.looks.push({ at: now, to });
    while (this.looks[1] && this.looks[1].at <= now - this.ms) this.looks.shift();
  }

  /**
   * The count as it was so long ago, or at the first look if that was later: `old` says which. Null
   * before any look.
   */
  get(): { to: number; old: boolean } | null {
    const [first] = this.looks;
    return first ? { to: first.to, old: first.at <= this.now() - this.ms } : null;
  }
}
