import { CookieJar } from 'tough-cookie';
import { Page } from './page.js';

/**
 * A visitor without a screen: keeps cookies, follows redirects on demand, fills forms. What a
 * browser without JavaScript does.
 */
export class Browser {
  /** A jar for each origin: cookies know no ports, and hubs and networks are ports of one host. */
  private readonly jars = new Map<string, CookieJar>();
  constructor(readonly base: string) {}

  private jar(origin: string): CookieJar {
    let found = this.jars.get(origin);
    if (!found) this.jars.set(origin, (found = new CookieJar()));
    return found;
  }

  /** The cookies of the hub, as a real browser takes them. */
  get kept(): { name: string; value: string; url: string }[] {
    const { base } = this;
    return this.jar(new URL(base).origin)
      .getCookiesSync(base)
      .map(({ key, value }) => ({ name: key, value, url: base }));
  }

  /** The cookie header this browser sends to the hub. */
  get cookie(): string {
    return this.jar(new URL(this.base).origin).getCookieStringSync(this.base);
  }

  /** Sends one request, without following where it is sent. */
  async send(
    path: string,
    init: RequestInit = {},
  ): Promise<{
    status: number;
    text: string;
    url: string;
    location: string | null;
    headers: Headers;
  }> {
    const url = new URL(path, this.base);
    const jar = this.jar(url.origin);
    const cookie = jar.getCookieStringSync(url.href);
    const response = await fetch(url, {
      ...init,
      redirect: 'manual',
      headers: {
        ...(init.method && init.method !== 'GET'
          ? { origin: url.origin, 'sec-fetch-site': 'same-origin' }
          : {}),
        'accept-language': 'en',
        ...(cookie ? { cookie } : {}),
        ...(init.headers as Record<string, string>),
      },
    });
    for (const line of response.headers.getSetCookie()) jar.setCookieSync(line, url.href);
    return {
      status: response.status,
      text: await response.text(),
      url: url.toString(),
      location: response.headers.get('location'),
      headers: response.headers,
    };
  }

  /** Sends and goes wherever it is sent. */
  async go(
    path: string,
    init: RequestInit = {},
  ): Promise<{ status: number; text: string; url: string; headers: Headers }> {
    let answer = await this.send(path, init);
    for (let hops = 0; answer.location && hops < 10; hops += 1)
      answer = await this.send(new URL(answer.location, answer.url).toString());
    return answer;
  }

  /** The fields of the form whose action ends with this, as the page has them. */
  form(html: string, action: string): URLSearchParams {
    return new Page(html).form(action);
  }

  /** Sends a form and goes wherever that leads. */
  post(path: string, fields: URLSearchParams): ReturnType<Browser['go']> {
    return this.go(path, {
      method: 'POST',
      body: fields,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
  }

  /** Signs in at a network's consent page as this invented person; answers the page it ends on. */
  async signIn(
    network: 'x' | 'facebook',
    person: string,
    answer: 'allow' | 'deny' = 'allow',
    lang = 'en',
  ): ReturnType<Browser['go']> {
    const page = await this.go(`/${lang}/sign-in`);
    const start = await this.send(`/${lang}/sign-in/${network}`, {
      method: 'POST',
      body: this.form(page.text, `/sign-in/${network}`),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    return this.consent(start.location ?? '', person, answer);
  }

  /** Answers a consent page. */
  async consent(
    location: string,
    person: string,
    answer: 'allow' | 'deny' = 'allow',
  ): ReturnType<Browser['go']> {
    const consent = await this.send(location);
    const fields = this.form(consent.text, '');
    fields.set('person', person);
    fields.set('answer', answer);
    return this.go(location.replace(/\?.*/, ''), {
      method: 'POST',
      body: fields,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
  }

  /** Answers the first page. */
  welcome(html: string, answers: Record<string, string>): ReturnType<Browser['go']> {
    const fields = this.form(html, '');
    for (const [name, value] of Object.entries({
      birthYear: '1990',
      country: 'FR',
      language: 'en',
      consent: 'yes',
      ...answers,
    }))
      if (value === '') fields.delete(name);
      else fields.set(name, value);
    return this.post('/en/welcome', fields);
  }
}
