import { expect } from 'chai';
import { NetworkError } from '../../server/networks/network.js';
import { CircuitBreaker } from '../../server/networks/outward.js';

describe('the circuit breaker before a network', () => {
  let now: number;
  let sent: number;
  let outcomes: string[];
  let breaker: CircuitBreaker;
  const ask = (answer: () => Promise<object>): Promise<string> =>
    breaker
      .execute(() => {
        sent += 1;
        return answer();
      })
      .then(
        () => 'ok',
        (error: unknown) => (error as NetworkError).code,
      );
  const works = () => Promise.resolve({});
  const breaks = () => Promise.reject(new Error('no JSON'));
  const refuses = () => Promise.reject(new NetworkError('x', 'rate_limited', 'wait'));
  const failTimes = async (times: number): Promise<void> => {
    for (let time = 0; time < times; time += 1) await ask(breaks);
  };

  beforeEach(() => {
    now = 1_000_000;
    sent = 0;
    outcomes = [];
    breaker = new CircuitBreaker(
      'x',
      () => now,
      () => new NetworkError('x', 'invalid_response', 'it answered something else'),
      (_network, outcome) => outcomes.push(outcome),
    );
  });

  it('sends nothing for ten seconds after five failures in a row', async () => {
    await failTimes(5);
    expect(await ask(works)).to.equal('network_down');
    now += 9999;
    expect([await ask(works), sent]).to.deep.equal(['network_down', 5]);
    now += 1;
    expect([await ask(works), sent]).to.deep.equal(['ok', 6]);
  });

  it('counts a refusal as an answer, which ends a row of failures', async () => {
    await failTimes(4);
    expect(await ask(refuses)).to.equal('rate_limited');
    await failTimes(4);
    expect(await ask(works)).to.equal('ok');
    expect(outcomes.filter((outcome) => outcome === 'rate_limited')).to.have.length(1);
  });

  it('lets one request find out whether the network is back, and waits again if it is not', async () => {
    await failTimes(5);
    now += 10_000;
    let fail: (error: Error) => void = () => undefined;
    const trial = ask(() => new Promise((_resolve, reject) => (fail = reject)));
    const others = [ask(works), ask(works)];
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent).to.equal(6);
    fail(new Error('no JSON'));
    expect(await Promise.all([trial, ...others])).to.deep.equal([
      'invalid_response',
      'network_down',
      'network_down',
    ]);
    expect(sent).to.equal(6);
    now += 10_000;
    expect(await ask(works)).to.equal('ok');
  });

  it('tries an outage once more, and nothing else', async () => {
    const isDown = () => Promise.reject(new NetworkError('x', 'network_down', 'away'));
    expect(await ask(isDown)).to.equal('network_down');
    expect(outcomes).to.deep.equal(['network_down', 'network_down']);
    await ask(breaks);
    await ask(refuses);
    expect(sent).to.equal(4);
  });

  it('is not held open for an hour by a clock that was set back', async () => {
    await failTimes(5);
    now -= 3_600_000;
    expect(await ask(works)).to.equal('ok');
  });
});
