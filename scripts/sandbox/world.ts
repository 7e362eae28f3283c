import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import type { Grant } from './oauth.js';
import { PEOPLE } from './people.js';

export type Network = 'x' | 'facebook';
export interface Person {
  /** Who this is here, for ever; and the handle on every network until they take another there. */
  handle: string;
  /** Handles taken since, a network each. */
  renamed?: Partial<Record<Network, string>>;
  name: string;
  about: string;
  since: string;
  ids: { x: string; facebook: string };
  page: string | null;
}
export interface Post {
  id: string;
  network: Network;
  author: string;
  text: string;
  at: string;
}
export interface Fault {
  network: Network;
  path: string;
  status: number;
  times: number;
  latencyMs: number;
  body: string | null;
}
export interface Rate {
  network: Network;
  route: string;
  limit: number;
  windowS: number;
}
/** What a push tells: `about` is the account it concerns. */
export type WorldNews = { network: Network; about: string } & (
  | { kind: 'post'; post: Post; author: Person }
  | { kind: 'follow' | 'unfollow' | 'like'; person: Person; target: string }
);
interface State {
  people: Person[];
  follows: string[];
  likes: string[];
  posts: Post[];
  postNumber: number;
  grants?: Record<Network, [string, Grant][]>;
}

/** What a person is called on a network now. */
export const handleOn = (network: Network, person: Person): string =>
  person.renamed?.[network] ?? person.handle;
/** Handles are the same in any case, and on Facebook with any full stops. */
const named = (network: Network, handle: string): string =>
  `${network}@${network === 'facebook' ? handle.toLowerCase().replace(/\./g, '') : handle.toLowerCase()}`;

/**
 * Everything the invented people did, on all sandbox networks; kept in a file so that it outlasts a
 * restart.
 */
export class World {
  private people: Person[] = [];
  private readonly byKey = new Map<string, Person>();
  /** `network|person id|account id` */
  private follows = new Set<string>();
  private likes = new Set<string>();
  posts: Post[] = [];
  readonly grants: Record<Network, Map<string, Grant>> = { x: new Map(), facebook: new Map() };
  faults: Fault[] = [];
  rates: Rate[] = [];
  readonly log: { at: string; network: Network; method: string; path: string; status: number }[] =
    [];
  private offset = 0;
  private postNumber = 1000;
  private timer: NodeJS.Timeout | null = null;
  private readonly listeners: ((news: WorldNews) => void)[] = [];
  private readonly counters = new Map<string, { from: number; used: number }>();

  constructor(private readonly file: string | null) {
    if (file && existsSync(file)) this.restore(JSON.parse(readFileSync(file, 'utf8')) as State);
    else this.reset();
  }

  listen(listener: (news: WorldNews) => void): void {
    this.listeners.push(listener);
  }
  private tell(news: WorldNews): void {
    for (const listener of this.listeners) listener(news);
  }

  now(): Date {
    return new Date(Date.now() + this.offset);
  }
  advance(ms: number): void {
    this.offset += ms;
  }

  reset(): void {
    this.people = [];
    this.byKey.clear();
    this.follows.clear();
    this.likes.clear();
    this.posts = [];
    this.faults = [];
    this.rates = [];
    this.log.length = 0;
    this.offset = 0;
    this.counters.clear();
    for (const one of PEOPLE) this.add(one);
    for (const one of this.people.filter((person) => person.page)) {
      this.post(
        'x',
        one.ids.x,
        `Entraînement du matin fini. / Morning session done. (${one.name})`,
      );
      this.post(
        'facebook',
        one.page as string,
        `Merci pour vos messages ! / Thank you for your messages! (${one.name})`,
      );
    }
    this.save();
  }

  private restore(state: State): void {
    for (const one of state.people) this.index(one);
    this.follows = new Set(state.follows);
    this.likes = new Set(state.likes);
    this.posts = state.posts;
    this.postNumber = state.postNumber;
    for (const network of ['x', 'facebook'] as const)
      for (const [token, grant] of state.grants?.[network] ?? [])
        this.grants[network].set(token, grant);
  }

  private index(person: Person): void {
    this.people.push(person);
    this.byKey.set(`handle:${person.handle.toLowerCase()}`, person);
    for (const network of ['x', 'facebook'] as const)
      if (!this.byHandle(network, handleOn(network, person)))
        this.byKey.set(named(network, handleOn(network, person)), person);
    this.byKey.set(`x:${person.ids.x}`, person);
    this.byKey.set(`facebook:${person.ids.facebook}`, person);
    if (person.page) this.byKey.set(`page:${person.page}`, person);
  }

  add(one: {
    handle: string;
    name: string;
    about?: string;
    page?: boolean;
    since?: string;
  }): Person {
    const known = this.person(one.handle);
    if (known) return known;
    const number = this.people.length + 1;
    const person: Person = {
      handle: one.handle,
      name: one.name,
      about: one.about ?? '',
      since: one.since ?? '2020-01-01T00:00:00.000Z',
      ids: { x: String(700_000_000_000 + number), facebook: String(10_200_000_000 + number) },
      page: one.page ? String(61_500_000_000 + number) : null,
    };
    this.index(person);
    return person;
  }

  all(): Person[] {
    return this.people;
  }
  person(handle: string): Person | null {
    return this.byKey.get(`handle:${handle.toLowerCase()}`) ?? null;
  }
  /** Whoever bears this handle on a network now. */
  byHandle(network: Network, handle: string): Person | null {
    return this.byKey.get(named(network, handle)) ?? null;
  }
  /**
   * Takes another handle on a network, freeing the old one for whoever wants it; false when
   * somebody bears it.
   */
  rename(network: Network, person: Person, handle: string): boolean {
    const bearer = this.byHandle(network, handle);
    if (bearer && bearer !== person) return false;
    this.byKey.delete(named(network, handleOn(network, person)));
    person.renamed = { ...person.renamed, [network]: handle };
    this.byKey.set(named(network, handle), person);
    this.save();
    return true;
  }
  byX(id: string): Person | null {
    return this.byKey.get(`x:${id}`) ?? null;
  }
  byFacebook(id: string): Person | null {
    return this.byKey.get(`facebook:${id}`) ?? null;
  }
  byPage(idOrHandle: string): Person | null {
    const found = this.byKey.get(`page:${idOrHandle}`) ?? this.byHandle('facebook', idOrHandle);
    return found?.page ? found : null;
  }

  /** A follow on X, a Page like on Facebook; answers whether anything changed. */
  relate(network: Network, person: Person, account: Person, on: boolean): boolean {
    const key =
      network === 'x'
        ? `x|${person.ids.x}|${account.ids.x}`
        : `facebook|${person.ids.facebook}|${account.page ?? ''}`;
    const had = this.follows.has(key);
    if (on) this.follows.add(key);
    else this.follows.delete(key);
    this.save();
    const target = network === 'x' ? account.ids.x : (account.page ?? '');
    if (had !== on)
      this.tell({ network, about: target, kind: on ? 'follow' : 'unfollow', person, target });
    return had !== on;
  }
  related(network: Network, personId: string, accountId: string): boolean {
    return this.follows.has(`${network}|${personId}|${accountId}`);
  }
  relations(network: Network, personId: string): string[] {
    const from = `${network}|${personId}|`;
    return [...this.follows]
      .filter((key) => key.startsWith(from))
      .map((key) => key.slice(from.length));
  }
  followers(network: Network, accountId: string): string[] {
    return [...this.follows]
      .filter((key) => key.startsWith(`${network}|`) && key.endsWith(`|${accountId}`))
      .map((key) => key.split('|')[1] ?? '');
  }

  likePost(network: Network, personId: string, post: string, on: boolean): void {
    const key = `${network}|${personId}|${post}`;
    if (on) this.likes.add(key);
    else this.likes.delete(key);
    this.save();
    const person = network === 'x' ? this.byX(personId) : this.byFacebook(personId);
    if (on && person) this.tell({ network, about: personId, kind: 'like', person, target: post });
  }
  likedPosts(network: Network, personId: string): string[] {
    const from = `${network}|${personId}|`;
    return [...this.likes]
      .filter((key) => key.startsWith(from))
      .map((key) => key.slice(from.length))
      .reverse();
  }
  likers(network: Network, post: string): string[] {
    return [...this.likes]
      .filter((key) => key.startsWith(`${network}|`) && key.endsWith(`|${post}`))
      .map((key) => key.split('|')[1] ?? '');
  }

  post(network: Network, author: string, text: string): Post {
    this.postNumber += 1;
    const post: Post = {
      id: network === 'x' ? `19${this.postNumber}` : `${author}_${this.postNumber}`,
      network,
      author,
      text,
      at: this.now().toISOString(),
    };
    this.posts.push(post);
    this.save();
    const by = network === 'x' ? this.byX(author) : this.byPage(author);
    if (by) this.tell({ network, about: author, kind: 'post', post, author: by });
    return post;
  }

  /** The planted fault for this request, used up by one. */
  fault(network: Network, path: string): Fault | null {
    const found = this.faults.find(
      (one) => one.network === network && path.startsWith(one.path) && one.times !== 0,
    );
    if (found && found.times > 0) found.times -= 1;
    return found ?? null;
  }

  /**
   * Counts a request of a token on a route; the limit and what is left of it, as rate-limit headers
   * tell.
   */
  rate(
    network: Network,
    route: string,
    token: string,
    normal: number,
  ): { limit: number; remaining: number; reset: number; refused: boolean } {
    const set = this.rates.find(
      (one) => one.network === network && (one.route === route || one.route === '*'),
    );
    const limit = set?.limit ?? normal;
    const window = (set?.windowS ?? 900) * 1000;
    const key = `${network}|${route}|${token}`;
    const now = this.now().getTime();
    let counter = this.counters.get(key);
    if (!counter || now - counter.from >= window)
      this.counters.set(key, (counter = { from: now, used: 0 }));
    const refused = counter.used >= limit;
    if (!refused) counter.used += 1;
    return {
      limit,
      remaining: Math.max(0, limit - counter.used),
      reset: Math.ceil((counter.from + window) / 1000),
      refused,
    };
  }

  note(network: Network, method: string, path: string, status: number): void {
    this.log.push({
      at: this.now().toISOString(),
      network,
      method,
      path: path.replace(
        /((?:access_token|code|client_secret|appsecret_proof|fb_exchange_token|refresh_token)=)[^&]+/g,
        '$1[cut]',
      ),
      status,
    });
    if (this.log.length > 20_000) this.log.splice(0, 10_000);
  }

  /** Writes the state soon; several changes are one write. */
  save(): void {
    if (!this.file || this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.write();
    }, 100);
  }

  /** Writes the state now; called at the end too. */
  write(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    if (!this.file) return;
    mkdirSync(dirname(this.file), { recursive: true });
    const state: State = {
      people: this.people,
      follows: [...this.follows],
      likes: [...this.likes],
      grants: { x: [...this.grants.x], facebook: [...this.grants.facebook] },
      posts: this.posts,
      postNumber: this.postNumber,
    };
    writeFileSync(`${this.file}.new`, JSON.stringify(state));
    renameSync(`${this.file}.new`, this.file);
  }
}

export const secret = (bytes = 24): string => randomBytes(bytes).toString('base64url');
