import { expect } from 'chai';
import { startWorld, type World } from '../support/world.js';

describe('what is said in a room', () => {
  let world: World;
  let token = '';
  before(async () => {
    world = await startWorld();
    await world.athletes();
    await world.room('plain-words');
    ({ token } = await world.fan('speaker'));
  });
  after(() => world.close());
  let said = 0;
  const say = async (text: string) => {
    said += 1;
    return world.api('/chats/plain-words/messages', {
      method: 'POST',
      token,
      body: { text, clientId: `plain-words-${said}` },
    });
  };

  for (const [what, typed, shown] of [
    ['directions', 'a\u202eb\u2066c', 'abc'],
    ['towers of marks', `e${'\u0301'.repeat(200)}`, '\u00e9\u0301\u0301\u0301\u0301'],
    ['unseen signs', 'x\u200b\u2063\u3164y', 'x y'],
    ['blank lines', 'a\n\n\n\n\nb', 'a\n\nb'],
    ['a family', '👨\u200d👩\u200d👧\u200d👦 \u2026', '👨\u200d👩\u200d👧\u200d👦 …'],
  ] as const)
    it(`is shown plain: ${what}`, async () => {
      const answer = await say(typed);
      expect(answer.status).to.equal(201);
      expect(answer.body).to.have.nested.property('item.text', shown);
      const { items } = (await world.api('/chats/plain-words/messages')).body as unknown as {
        items: { text: string }[];
      };
      expect(items.at(-1)?.text).to.equal(shown);
    });

  it('is counted in signs as people see them, and can be seen', async () => {
    expect((await say('é'.repeat(280))).status).to.equal(201);
    expect((await say('👍🏽'.repeat(280))).status).to.equal(201);
    for (const refused of [
      'é'.repeat(281),
      '👍🏽'.repeat(281),
      '👨\u200d👩\u200d👧\u200d👦'.repeat(120),
      '',
      ' \n ',
      '\u200b\u202e\u3164',
      '\u0301',
    ])
      expect((await say(refused)).body, JSON.stringify(refused.slice(0, 8))).to.include({
        status: 400,
        id: 'bad_input',
      });
  });
});
