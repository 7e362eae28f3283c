import { load, type CheerioAPI } from 'cheerio';

/** A page as a test reads it: by what is in it, and not by how its HTML is written. */
export class Page {
  private readonly $: CheerioAPI;

  constructor(html: string) {
    this.$ = load(html);
  }

  /** Whether anything fits the selector. */
  has(selector: string): boolean {
    return this.$(selector).length > 0;
  }

  /** The text of the first element that fits, without the space around it; empty without one. */
  text(selector: string): string {
    return this.texts(selector)[0] ?? '';
  }

  /** The texts of all elements that fit, in the order of the page. */
  texts(selector: string): string[] {
    return this.$(selector)
      .toArray()
      .map((element) => this.$(element).text().trim());
  }

  /** An attribute of the first element that fits; empty without one. */
  attribute(selector: string, name: string): string {
    return this.attributes(selector, name)[0] ?? '';
  }

  /** An attribute of all elements that fit and have it, in the order of the page. */
  attributes(selector: string, name: string): string[] {
    return this.$(selector)
      .toArray()
      .flatMap((element) => this.$(element).attr(name) ?? []);
  }

  /**
   * The fields of the form whose action ends with this, as a browser sends them when nobody changes
   * anything: hidden ones, and texts that the page has filled in. Throws without such a form.
   */
  form(action: string): URLSearchParams {
    const { $ } = this;
    const form = $('form')
      .toArray()
      .find((element) => ($(element).attr('action') ?? '').endsWith(action));
    if (!form) throw new Error(`no form for ${action}`);
    const fields = new URLSearchParams();
    for (const input of $(form).find('input[name]').toArray()) {
      const { name = '', type, value = '' } = $(input).attr() ?? {};
      if (type === 'hidden' || (type === undefined && value !== '')) fields.set(name, value);
    }
    return fields;
  }
}
