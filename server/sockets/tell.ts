import type { Athletes } from '../athletes/service.js';
import type { Award, News } from '../events.js';
import { LANGUAGES } from '../platform/i18n.js';
import type { Videos } from '../videos/service.js';
import type { VillageSocket } from '../village/socket.js';
import { allowed, HEARD_WITH, type ServerEvents } from '../wire.js';
import { claimsOf } from './claims.js';

/** Tells a fan's own sockets what moved, as far as their tokens' scopes let them hear it. */
export class Tell {
  /** @param socketsOf the sockets of a fan on this process */
  constructor(
    private readonly socketsOf: (fan: string) => VillageSocket[],
    private readonly videos: Videos,
    private readonly athletes: Athletes,
  ) {}

  /** Leaves out who was hidden meanwhile; everybody, while that cannot be known. */
  private async withoutHidden(
    items: Award['items'],
  ): Promise<{ deed: string; athlete: string | null; delta: number }[]> {
    const hidden = await this.athletes.hidden().catch(() => null);
    return items.map((item) => ({
      ...item,
      athlete: hidden === null || hidden.has(item.athlete) ? null : item.athlete,
    }));
  }

  private hearers(fan: string, event: keyof ServerEvents): VillageSocket[] {
    return this.socketsOf(fan).filter((socket) =>
      allowed(HEARD_WITH[event], claimsOf(socket).scopes),
    );
  }

  /** Tells that points moved, with the titles of what was unlocked in each page's language. */
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

  /** Tells how far a long check of a network is. */
  progress({ fan, ...progress }: News['follows:progress']): void {
    for (const socket of this.hearers(fan, 'follows:progress'))
      socket.emit('follows:progress', progress);
  }
}
