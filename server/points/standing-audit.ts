import { CountBefore } from '../platform/changes.js';
import type { Settings } from '../platform/settings.js';
import type { Standing } from './needs.js';

const CURSOR = 'points.standing';
/**
 * How far back an audit begins: a change is numbered first and then written, and no write is under
 * way for as long as this.
 */
const LOOK_BACK_MS = 60_000;

/**
 * Finds the fans whose standing changed, whether or not the news of it was heard (LEDGER 3). It
 * goes by a cursor over the count of such changes, kept in the store, so that nothing is missed
 * between the end of one worker and the start of another.
 */
export class StandingAudit {
  private readonly before: CountBefore;
  private stored: number | null = null;

  constructor(
    private readonly standing: Standing,
    private readonly settings: Settings,
    /** Makes scores and boards follow the standing of these fans. Repeating it changes nothing. */
    private readonly restand: (fans: string[]) => Promise<void>,
    now?: () => number,
  ) {
    this.before = new CountBefore(LOOK_BACK_MS, now);
  }

  /**
   * Catches up; answers how many fans were looked at. Throws as the stores do, and then the next
   * audit begins where this one did.
   */
  async run(): Promise<number> {
    const from = (this.stored ??= (await this.settings.get<number>(CURSOR)) ?? 0);
    const { fans, to } = await this.standing.changedSince(from);
    await this.restand(fans);
    this.before.note(to);
    const past = this.before.get();
    if (past?.old && past.to > from) {
      await this.settings.set(CURSOR, past.to);
      this.stored = past.to;
    }
    return fans.length;
  }
}
