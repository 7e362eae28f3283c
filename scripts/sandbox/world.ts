import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { PEOPLE } from './people.js';
import {
  handleOn,
  NETWORKS,
  type Grant,
  type Network,
  type Person,
  type Post,
  type WorldNews,
} from './records.js';
import { Traffic, type Fault, type LoggedRequest, type Rate } from './traffic.js';

interface State {
  people: Person[];
  follows: string[];
  likes: string[];
  posts: Post[];
  postNumber: number;
  grants?: Record<Network, [string, Grant][]>;
}

/** The key of a handle: case never matters, on Facebook full stops do not either. */
function handleKey(network: Network, handle: string): string {
  const lower = handle.toLowerCase();
  return `${network}@${network === 'facebook' ? lower.replace(/\./g, '') : lower}`;
}

/** The last parts of the keys that start with `from`. */
const endings = (keys: Iterable<string>, from: string): string[] =>
  [...keys].filter((key) => key.startsWith(from)).map((key) => key.slice(from.length));

/** The middle parts of the keys of a network that end with `to`. */
const middles = (keys: Iterable<string>, network: Network, to: string): string[] =>
  [...keys]
    .filter((key) => key.startsWith(`${network}|`) && key.endsWith(`|${to}`))
    .map((key) => key.split('|')[1] ?? '');

/**
 * Everything the invented people did, on all sandbox networks; kept in a file so that it outlasts a
 * restart.
 */
export class World {
  private people: Person[] = [];
  private readonly byKey = new Map<string, Person>();
  /** `network|person id|account id` */
  private follows = new Set<string>();
  /** `network|person id|post id` */
  private likes = new Set<string>();
  posts: Post[] = [];
  /** The tokens of each network, kept here because a network does not forget them at a restart. */
  readonly grants: Record<Network, Map<string, Grant>> = { x: new Map(), facebook: new Map() };
  /** What happens to requests to these networks. */
  readonly traffic = new Traffic(() => this.now());
  private offset = 0;
  private postNumber = 1000;
  private timer: NodeJS.Timeout | null = null;
  private readonly listeners: ((news: WorldNews) => void)[] = [];

  /** Reads `file` when it is there; else starts with the invented people. Null keeps no file. */
  constructor(private readonly file: string | null) {
    if (file && existsSync(file)) this.restore(JSON.parse(readFileSync(file, 'utf8')) as State);
    else this.reset();
  }

  /** The planted faults. */
  get faults(): Fault[] {
    return this.traffic.faults;
  }
  /** The rate limits that were set in the place of the networks' own. */
  get rates(): Rate[] {
    return this.traffic.rates;
  }
  /** The requests that were answered, oldest first. */
  get log(): LoggedRequest[] {
    return this.traffic.log;
  }

  /** Adds a listener that hears of every post, follow and like. */
  listen(listener: (news: WorldNews) => void): void {
    this.listeners.push(listener);
  }
  private tell(news: WorldNews): void {
    for (const listener of this.listeners) listener(news);
  }

  /** The time on the networks' clock. */
  now(): Date {
    return new Date(Date.now() + this.offset);
  }
  /** Moves the networks' clock on. */
  advance(ms: number): void {
    this.offset += ms;
  }

  /** Starts anew with the invented people, each athlete with a post on each network. */
  reset(): void {
    this.people = [];
    this.byKey.clear();
    this.follows.clear();
    this.likes.clear();
    this.posts = [];
    this.traffic.reset();
    this.offset = 0;
    for (const person of PEOPLE) this.add(person);
    for (const { ids, name, page } of this.people) {
      if (!page) continue;
      this.post('x', ids.x, `Entraînement du matin fini. / Morning session done. (${name})`);
      const thanks = 'Merci pour vos messages ! / Thank you for your messages!';
      this.post('facebook', page, `${thanks} (${name})`);
    }
    this.save();
  }

  private restore(state: State): void {
    for (const person of state.people) this.index(person);
    this.follows = new Set(state.follows);
    this.likes = new Set(state.likes);
    this.posts = state.posts;
    this.postNumber = state.postNumber;
    for (const network of NETWORKS)
      for (const [token, grant] of state.grants?.[network] ?? [])
        this.grants[network].set(token, grant);
  }

  private index(person: Person): void {
    this.people.push(person);
    this.byKey.set(`handle:${person.handle.toLowerCase()}`, person);
    for (const network of NETWORKS)
      if (!this.byHandle(network, handleOn(network, person)))
        this.byKey.set(handleKey(network, handleOn(network, person)), person);
    this.byKey.set(`x:${person.ids.x}`, person);
    this.byKey.set(`facebook:${person.ids.facebook}`, person);
    if (person.page) this.byKey.set(`page:${person.page}`, person);
  }

  /** Adds a person, or answers the one who has this handle already. */
  add(facts: {
    handle: string;
    name: string;
    about?: string;
    page?: boolean;
    since?: string;
  }): Person {
    const known = this.person(facts.handle);
    if (known) return known;
    const number = this.people.length + 1;
    const person: Person = {
      handle: facts.handle,
      name: facts.name,
      about: facts.about ?? '',
      since: facts.since ?? '2020-01-01T00:00:00.000Z',
      ids: { x: String(700_000_000_000 + number), facebook: String(10_200_000_000 + number) },
      page: facts.page ? String(61_500_000_000 + number) : null,
    };
    this.index(person);
    return person;
  }

  /** Everybody, in the order in which they came. */
  all(): Person[] {
    return this.people;
  }
  /** The person whom the sandbox itself knows by this handle, or null. */
  person(handle: string): Person | null {
    return this.byKey.get(`handle:${handle.toLowerCase()}`) ?? null;
  }
  /** The person who bears this handle on a network now, or null. */
  byHandle(network: Network, handle: string): Person | null {
    return this.byKey.get(handleKey(network, handle)) ?? null;
  }
  /** The person with this id on X, or null. */
  byX(id: string): Person | null {
    return this.byKey.get(`x:${id}`) ?? null;
  }
  /** The person with this id on Facebook, or null. */
  byFacebook(id: string): Person | null {
    return this.byKey.get(`facebook:${id}`) ?? null;
  }
  /** The person whose Page on Facebook has this id or handle, or null. */
  byPage(idOrHandle: string): Person | null {
    const found = this.byKey.get(`page:${idOrHandle}`) ?? this.byHandle('facebook', idOrHandle);
    return found?.page ? found : null;
  }

  /**
   * Gives a person another handle on a network, which frees the old one for anybody. Answers false
   * when somebody else bears it.
   */
  rename(network: Network, person: Person, handle: string): boolean {
    const bearer = this.byHandle(network, handle);
    if (bearer && bearer !== person) return false;
    this.byKey.delete(handleKey(network, handleOn(network, person)));
    person.renamed = { ...person.renamed, [network]: handle };
    this.byKey.set(handleKey(network, handle), person);
    this.save();
    return true;
  }

  /**
   * Begins (`on`) or ends a follow on X, a Page like on Facebook. Answers whether that changed
   * anything.
   */
  relate(network: Network, person: Person, account: Person, on: boolean): boolean {
    const target = network === 'x' ? account.ids.x : (account.page ?? '');
    const key = `${network}|${person.ids[network]}|${target}`;
    const had = this.follows.has(key);
    if (on) this.follows.add(key);
    else this.follows.delete(key);
    this.save();
    if (had !== on)
      this.tell({ network, about: target, kind: on ? 'follow' : 'unfollow', person, target });
    return had !== on;
  }
  /** Whether a person follows an account, both by their ids on the network. */
  related(network: Network, personId: string, accountId: string): boolean {
    return this.follows.has(`${network}|${personId}|${accountId}`);
  }
  /** The ids of the accounts that a person follows. */
  relations(network: Network, personId: string): string[] {
    return endings(this.follows, `${network}|${personId}|`);
  }
  /** The ids of the people who follow an account. */
  followers(network: Network, accountId: string): string[] {
    return middles(this.follows, network, accountId);
  }

  /** Begins (`on`) or ends a person's like of a post. */
  likePost(network: Network, personId: string, post: string, on: boolean): void {
    const key = `${network}|${personId}|${post}`;
    if (on) this.likes.add(key);
    else this.likes.delete(key);
    this.save();
    const person = network === 'x' ? this.byX(personId) : this.byFacebook(personId);
    if (on && person) this.tell({ network, about: personId, kind: 'like', person, target: post });
  }
  /** The ids of the posts that a person likes, the latest like first. */
  likedPosts(network: Network, personId: string): string[] {
    return endings(this.likes, `${network}|${personId}|`).reverse();
  }
  /** The ids of the people who like a post. */
  likers(network: Network, post: string): string[] {
    return middles(this.likes, network, post);
  }

  /** Publishes a post of an account, given by its id on the network. */
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
    const person = network === 'x' ? this.byX(author) : this.byPage(author);
    if (person) this.tell({ network, about: author, kind: 'post', post, author: person });
    return post;
  }
  /** The posts of an account, newest first. */
  postsBy(network: Network, author: string): Post[] {
    return this.posts
      .filter((post) => post.network === network && post.author === author)
      .reverse();
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
