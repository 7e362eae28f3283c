import type { Express } from 'express';
import { handleOn, type Person, type Post } from '../records.js';
import type { World } from '../world.js';
import { tweetOf } from './objects.js';
import type { Guard } from './problem.js';

interface Rule {
  id: string;
  value: string;
  tag?: string;
}

/** The rules of the filtered stream: whose posts it carries. */
export class Rules {
  private rules: Rule[] = [];

  constructor(private readonly world: World) {}

  /** The stream's event for a post, or null when no rule names its author. */
  match(author: Person, post: Post): string | null {
    const names = [`from:${handleOn('x', author)}`, `from:${author.ids.x}`];
    const matching = this.rules.filter(({ value }) =>
      value.split(' OR ').some((part) => names.includes(part.trim())),
    );
    if (matching.length === 0) return null;
    return JSON.stringify({
      data: tweetOf(this.world, post),
      matching_rules: matching.map(({ id, tag }) => ({ id, tag: tag ?? '' })),
    });
  }

  private meta(): object {
    return { sent: this.world.now().toISOString(), result_count: this.rules.length };
  }

  /** Adds the calls that read, add and delete rules. */
  routes(app: Express, allowed: Guard): void {
    const path = '/2/tweets/search/stream/rules';
    app.get(path, (req, res) => {
      if (!allowed(req, res)) return;
      res.json({ ...(this.rules.length > 0 ? { data: this.rules } : {}), meta: this.meta() });
    });
    app.post(path, (req, res) => {
      if (!allowed(req, res)) return;
      const { add = [], delete: remove } = req.body as {
        add?: { value: string; tag?: string }[];
        delete?: { ids: string[] };
      };
      const added = add.map((rule) => ({ id: String(Math.floor(Math.random() * 1e15)), ...rule }));
      const before = this.rules.length;
      if (remove) this.rules = this.rules.filter(({ id }) => !remove.ids.includes(id));
      const deleted = before - this.rules.length;
      this.rules.push(...added);
      const created = added.length;
      const summary = { created, not_created: 0, valid: created, invalid: 0 };
      res.status(created > 0 ? 201 : 200).json({
        ...(created > 0 ? { data: added } : {}),
        meta: { ...this.meta(), summary: { ...summary, deleted, not_deleted: 0 } },
      });
    });
  }
}
