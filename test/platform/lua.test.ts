import { expect } from 'chai';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { pino } from 'pino';
import { defineScript, loadScript } from '../../server/platform/lua.js';
import { connectRedis, type RedisClients } from '../../server/platform/redis.js';

describe('a script of Redis', () => {
  const folder = mkdtempSync(join(tmpdir(), 'village-lua-'));
  let redis: RedisClients;
  const script = <Reply>(name: string, text: string) => {
    const file = join(folder, `${name}.lua`);
    writeFileSync(file, text);
    return defineScript<Reply>(redis.commands, name, loadScript(pathToFileURL(file)));
  };

  before(async () => {
    redis = await connectRedis(process.env['REDIS_URL'] ?? '', 't:', pino({ level: 'silent' }));
  });
  after(async () => {
    await redis.close();
    rmSync(folder, { recursive: true });
  });

  it('takes its keys and arguments, and answers its reply by name', async () => {
    const echo = script<{ keys: string[]; first: string; nothing?: string[] }>(
      'luaTestEcho',
      'return cjson.encode({keys = KEYS, first = ARGV[1], nothing = nil})',
    );
    expect(await echo(['{t}:1', '{t}:2'], 'é: "1"', 2)).to.deep.equal({
      keys: ['{t}:1', '{t}:2'],
      first: 'é: "1"',
    });
    const both = await Promise.all([echo(['{t}:3'], 'a'), echo(['{t}:4'], 'b')]);
    expect(both.map(({ first }) => first)).to.deep.equal(['a', 'b']);
  });

  it('fails as Redis says when it is wrong', async () => {
    const wrong = script<never>('luaTestWrong', 'return redis.call("NONSENSE")');
    const error: unknown = await wrong(['{t}:1']).catch((failed: unknown) => failed);
    expect(String(error)).to.match(/NONSENSE|[Uu]nknown/);
  });
});
