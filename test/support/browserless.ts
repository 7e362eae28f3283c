/**
 * A visitor without a screen: keeps cookies, follows redirects on demand, fills forms. What a
 * browser without JavaScript does.
 */
export class Browser {
  private readonly jar = new Map<string, Map<string, string>>();
  constructor(readonly base: string) {}

  private cookies(origin: string): Map<string, string> {
    let found = this.jar.get(origin);
    if (!found) this.jar.set(origin, (found = new Map<string, string>()));
    return found;
  }

  /** The cookies of the hub, as a real browser takes them. */
  get kept(): { name: string; value: string; url: string }[] {
    return [...this.cookies(new URL(this.base).origin)].map(([name, value]) => ({
      name,
      value,
      url: this.base,
    }));
  }

  /** The cookie header this browser sends to the hub. */
  get cookie(): string {
    return [...this.cookies(new URL(this.base).origin)]
      .map(([name, value]) => `${name}=${value}`)
      .join('; ');
  }

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
    const jar = this.cookies(url.origin);
    const response = await fetch(url, {
      ...init,
      redirect: 'manual',
      headers: {
        ...(init.method && init.method !== 'GET'
          ? { origin: url.origin, 'sec-fetch-site': 'same-origin' }
          : {}),
        'accept-language': 'en',
        ...(jar.size > 0
          ? { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') }
          : {}),
        ...(init.headers as Record<string, string>),
      },
    });
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';');
      const at = pair.indexOf('=');
      if (/Max-Age=0|Expires=Thu, 01 Jan 1970/i.test(line) || pair.slice(at + 1) === '')
        jar.delete(pair.slice(0, at));
      else jar.set(pair.slice(0, at), pair.slice(at + 1));
    }
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
    for (const [, attributes = '', inner = ''] of html.matchAll(
      /<form([^>]*)>([\s\S]*?)<\/form>/g,
    )) {
      const target = /action="([^"]*)"/.exec(attributes)?.[1] ?? '';
      if (!target.endsWith(action)) continue;
      const fields = new URLSearchParams();
      for (const [, tag = ''] of inner.matchAll(/<input([^>]*)>/g)) {
        const name = /name="([^"]*)"/.exec(tag)?.[1];
        // What the page has filled in is sent along, as a browser does it: hidden fields, and texts
        // that somebody may change.
        if (
          name &&
          (/type="hidden"/.test(tag) || (!/type="/.test(tag) && / value="[^"]/.test(tag)))
        )
          fields.set(
            name,
            (/value="([^"]*)"/.exec(tag)?.[1] ?? '')
              .replace(
                /&#(?:x([0-9A-F]+)|(\d+));/gi,
                (_all, hex: string | undefined, dec: string) =>
                  String.fromCharCode(hex ? parseInt(hex, 16) : Number(dec)),
              )
              .replace(/&quot;/g, '"')
              .replace(/&lt;/g, '<')
              .replace(/&gt;/g, '>')
              .replace(/&amp;/g, '&'),
          );
      }
      return fields;
    }
    throw new Error(`no form for ${action}`);
  }

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
