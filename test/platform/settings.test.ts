import { expect } from 'chai';
import { isStoreAway } from '../../server/platform/mongo.js';
import { startWorld, type World } from '../support/world.js';

describe('a counter of the hub', () => {
  let world: World;
  before(async () => {
    world = await startWorld({});
  });
  after(() => world.close());

  it(
    'gives each who counts a number of their own, from the very first, however many begin at ' +
      'once',
    async () => {
      const { settings } = world.context;
      for (let round = 0; round < 20; round += 1) {
        const numbers = await Promise.all(
          Array.from({ length: 8 }, () => settings.next(`counter${round}`)),
        );
        expect(new Set(numbers).size, `round ${round}: ${numbers.join()}`).to.equal(8);
        expect(await settings.next(`counter${round}`)).to.be.greaterThan(Math.max(...numbers));
      }
    },
  );

  it(
    'counts again where the store answered nothing, and says that it is away when it never ' +
      'does',
    async () => {
      const { settings } = world.context;
      const records = Reflect.get(settings, 'records') as object;
      let silent = 1;
      const nothing = { lean: () => Promise.resolve(null) };
      Reflect.set(
        settings,
        'records',
        new Proxy(records, {
          get: (real, key) => {
            const value = Reflect.get(real, key) as unknown;
            if (key !== 'findOneAndUpdate') return value;
            silent -= 1;
            return silent >= 0 ? () => nothing : (value as () => unknown).bind(real);
          },
        }),
      );
      expect(await settings.next('silent')).to.equal(1);
      silent = Infinity;
      const failure: unknown = await settings.next('silent').catch((error: unknown) => error);
      Reflect.set(settings, 'records', records);
      expect(isStoreAway(failure)).to.equal(true);
    },
  );
});
