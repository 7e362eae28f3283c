import { load } from 'cheerio/slim';
import type { Context } from '../../server/context.js';
import type { FanRecord } from '../../server/fans/service.js';
import type { LinkedAccount, NetworkId } from '../../server/networks/network.js';

/** Signs an invented person in at a network, through its own consent page, as a browser would. */
async function proveAccount(
  context: Context,
  network: NetworkId,
  handle: string,
): Promise<LinkedAccount> {
  const adapter = context.networks.adapter(network);
  const redirectUri = `${context.config.publicUrl}/auth/${network}/callback`;
  const begun = await adapter.beginAuth({ state: 'demo', redirectUri });
  const page = await fetch(begun.url);
  if (!page.ok) throw new Error(`${network}: the consent page answered ${page.status}`);
  const fields = new URLSearchParams({ person: handle, answer: 'allow' });
  const $ = load(await page.text());
  for (const field of $('form input[type=hidden]'))
    fields.set($(field).attr('name') ?? '', $(field).attr('value') ?? '');
  const answered = await fetch(begun.url.replace(/\?.*/, ''), {
    method: 'POST',
    body: fields,
    redirect: 'manual',
  });
  const back = new URL(answered.headers.get('location') ?? redirectUri);
  return adapter.completeAuth({
    query: Object.fromEntries(back.searchParams),
    secret: begun.secret,
    redirectUri,
  });
}

/**
 * Makes a fan of an invented person (or finds the one there is), with these networks linked; an
 * adult, in France, called by the handle on X unless a name is given.
 */
export async function demoFan(
  context: Context,
  handle: string,
  networks: NetworkId[],
  name?: string,
): Promise<FanRecord> {
  let fan: FanRecord | null = null;
  for (const network of networks) {
    const linked = await proveAccount(context, network, handle);
    if (fan) await context.fans.link(fan._id, linked);
    else {
      const known = await context.fans.identities.find(network, linked.account.id);
      fan = known
        ? await context.fans.require(known.fan)
        : await context.fans.create(
            linked,
            {
              birthYear: 1990,
              country: 'FR',
              language: 'fr',
              ...(name === undefined ? {} : { name }),
            },
            true,
          );
    }
  }
  if (!fan) throw new Error(`${handle}: no network`);
  return fan;
}
