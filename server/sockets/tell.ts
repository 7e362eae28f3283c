import type { Athletes } from '../athletes/service.js';
import type { Award, News } from '../events.js';
import { LANGUAGES } from '../platform/i18n.js';
import type { Videos } from '../videos/service.js';
import type { VillageSocket } from '../village/socket.js';
import { allowed, HEARD_WITH, type ServerEvents } from '../wire.js';
import { claimsOf } from './claims.js';

/**
 * What a fan's own sockets are told, those that may hear it: a token hears what its scopes allow.
 */
export class Tell {
  /** @param socketsOf the sockets of a fan on this process */
  constructor(
    private readonly socketsOf: (fan: string) => VillageSocket[],
    private readonly videos: Videos,
    private readonly athletes: Athletes,
  ) {}

  /** Who was hidden meanwhile is told to nobody; nor is anybody while that cannot be known. */
  private async withoutHidden(
    items: Award['items'],
  ): Promise<{ deed: string; athlete: string | null; delta: number }[]> {
    const hidden = await this.athletes.hidden().catch(() => null);
    return items.map((one) => ({
      ...one,
      athlete: hidden === null || hidden.has(one.athlete) ? null : one.athlete,
    }));
  }

  private hearers(fan: string, event: keyof ServerEvents): VillageSocket[] {
    return this.socketsOf(fan).filter((socket) =>
      allowed(HEARD_WITH[event], claimsOf(socket).scopes),
    );
  }

  /**
   * Points moved. A fan may have a page open in each language: titles of what was unlocked are told
   * in the page's own.
   */
  async points(award: Award): Promise<void> {
    const { fan, seq, items, points, medals } = award;
    const sockets = this.hearers(fan, 'points:awarded');
    if (sockets.length === 0) return;
    const told = await this.withoutHidden(items);
    const medal = (items.at(-1)?.delta ?? 0) > 0 ? medals.after['hub'] : undefined;
    for (const lang of LANGUAGES) {
      const theirs = sockets.filter((socket) => claimsOf(socket).lang === lang);
      if (theirs.length === 0) continue;
      const unlocked = await this.videos.openedBy(award, lang).catch(() => []);
      for (const socket of theirs)
        socket.emit('points:awarded', {
          items: told,
          points,
          unlocked,
          seq,
          ...(medal ? { medal } : {}),
        });
    }
  }

  /** A long asking of a network went on. */
  progress({ fan, ...progress }: News['follows:progress']): void {
    for (const socket of this.hearers(fan, 'follows:progress'))
      socket.emit('follows:progress', progress);
  }
}
