import { createHmac } from 'node:crypto';
import type { OAuth } from '../oauth.js';
import type { Grant, Person } from '../records.js';
import type { World } from '../world.js';
import { fault, good, type Answer } from './answer.js';
import { pageOf, paged, postOf, project, timeOf, type Params } from './objects.js';

/** Who calls: the app itself (no grant), or a person; or why the call is refused. */
interface Caller {
  grant: Grant | null;
  person: Person | null;
  refusal: Answer | null;
}
const refused = (refusal: Answer): Caller => ({ grant: null, person: null, refusal });

interface Subscription {
  object: string;
  callback_url: string;
  fields: { name: string; version: string }[];
  active: boolean;
}

/** The calls of Graph, each from its own request or from a part of a batch. */
export class GraphCalls {
  private readonly subscriptions: Subscription[] = [];

  constructor(
    private readonly world: World,
    private readonly oauth: OAuth,
    private readonly pagesOrigin: () => string,
  ) {}

  /** The token of the app itself. */
  get appToken(): string {
    return `${this.oauth.client.id}|${this.oauth.client.secret}`;
  }

  /** Finds who calls. A proof that belongs to another token is refused. */
  caller(params: Params): Caller {
    const token = params['access_token'] ?? '';
    if (token === this.appToken) return { grant: null, person: null, refusal: null };
    const { grant, expired } = this.oauth.find(token);
    if (!grant && expired) {
      const message = 'Error validating access token: Session has expired.';
      return refused(fault(400, message, 190, { subcode: 463 }));
    }
    if (!grant)
      return refused(fault(400, 'Invalid OAuth access token - Cannot parse access token', 190));
    const proof = params['appsecret_proof'];
    const right = createHmac('sha256', this.oauth.client.secret).update(token).digest('hex');
    if (proof !== undefined && proof !== right) {
      const message = 'Invalid appsecret_proof provided in the API argument';
      return refused(fault(400, message, 100, { type: 'GraphMethodException' }));
    }
    return { grant, person: this.world.person(grant.person), refusal: null };
  }

  /** Answers one call. */
  answer(method: string, path: string, params: Params): Answer {
    const caller = this.caller(params);
    if (caller.refusal) return caller.refusal;
    const [first = '', second = '', third = ''] = path.split('/').filter(Boolean);
    if (first === 'me') return this.me(method, caller, second, third, params);
    if (first === 'debug_token') return this.debugToken(params['input_token'] ?? '');
    if (first === this.oauth.client.id && second === 'subscriptions')
      return this.subscription(method, params);
    return this.page(first, second, params);
  }

  private me(
    method: string,
    { person, grant }: Caller,
    edge: string,
    target: string,
    params: Params,
  ): Answer {
    if (!person || !grant) {
      const who = 'query information about the current user';
      return fault(400, `An active access token must be used to ${who}.`, 2500);
    }
    switch (edge) {
      case '':
        return this.profile(person, params['fields']);
      case 'permissions':
        return this.permissions(method, person, grant);
      case 'accounts':
        return this.accounts(person, grant, params['access_token']);
      case 'likes':
        return this.likes(person, grant, target || params['target_id'], params);
      default:
        return fault(400, `(#2500) Unknown path components: /${edge}`, 2500);
    }
  }

  private profile(person: Person, fields: string | undefined): Answer {
    const picture = { data: { url: `${this.pagesOrigin()}/picture`, is_silhouette: true } };
    const full = { id: person.ids.facebook, name: person.name, picture };
    return good(project(full, fields, ['id', 'name']));
  }

  private permissions(method: string, person: Person, grant: Grant): Answer {
    if (method === 'DELETE') {
      this.oauth.endPerson(person.handle);
      return good({ success: true });
    }
    const data = grant.scopes.map((permission) => ({ permission, status: 'granted' }));
    return good({ data });
  }

  private accounts(person: Person, grant: Grant, token: string | undefined): Answer {
    // Without this permission Graph answers with an empty list, not with an error.
    if (!person.page || !grant.scopes.includes('pages_show_list')) return good({ data: [] });
    const tasks = ['MODERATE', 'CREATE_CONTENT', 'MANAGE'];
    return good({ data: [{ id: person.page, name: person.name, access_token: token, tasks }] });
  }

  private likes(person: Person, grant: Grant, target: string | undefined, params: Params): Answer {
    if (!grant.scopes.includes('user_likes'))
      return fault(403, '(#200) Missing permission user_likes', 200);
    const { fields } = params;
    const created =
      fields?.includes('created_time') === false
        ? {}
        : { created_time: timeOf(this.world.now().toISOString()) };
    const items = this.world
      .relations('facebook', person.ids.facebook)
      .filter((id) => !target || id === target)
      .map((id) => this.world.byPage(id))
      .filter((liked) => liked !== null)
      .map((liked) => ({
        ...pageOf(this.world, this.pagesOrigin(), liked, fields?.replace('created_time', '')),
        ...created,
      }));
    return good(paged(items, params, '/me/likes'));
  }

  private debugToken(token: string): Answer {
    const { grant } = this.oauth.find(token);
    const facts = grant
      ? {
          scopes: grant.scopes,
          user_id: this.world.person(grant.person)?.ids.facebook,
          expires_at: Math.floor(grant.expires / 1000),
        }
      : { error: { code: 190, message: 'The access token could not be decrypted' } };
    const app = { app_id: this.oauth.client.id, type: 'USER', application: 'Village' };
    return good({ data: { ...app, is_valid: grant !== null, ...facts } });
  }

  private subscription(method: string, params: Params): Answer {
    if (params['access_token'] !== this.appToken)
      return fault(400, 'This method must be called with an app access_token.', 15);
    const { subscriptions } = this;
    if (method === 'GET') return good({ data: subscriptions });
    const object = params['object'] ?? '';
    const index = subscriptions.findIndex((each) => each.object === object);
    if (index >= 0) subscriptions.splice(index, 1);
    if (method === 'POST')
      subscriptions.push({
        object,
        callback_url: params['callback_url'] ?? '',
        fields: (params['fields'] ?? '').split(',').map((name) => ({ name, version: 'v24.0' })),
        active: true,
      });
    return good({ success: true });
  }

  private page(name: string, edge: string, params: Params): Answer {
    const person = this.world.byPage(name);
    if (!person?.page)
      return fault(404, `(#803) Some of the aliases you requested do not exist: ${name}`, 803);
    const { fields } = params;
    if (edge === '') return good(pageOf(this.world, this.pagesOrigin(), person, fields));
    if (edge !== 'posts' && edge !== 'feed')
      return fault(400, `(#100) Tried accessing nonexisting field (${edge})`, 100);
    const posts = this.world
      .postsBy('facebook', person.page)
      .map((post) => postOf(this.pagesOrigin(), post, fields));
    return good(paged(posts, params, `/${name}/${edge}`));
  }
}
