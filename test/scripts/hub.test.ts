import { expect } from 'chai';
import { CommanderError } from 'commander';
import { exitCodeOf, hubProgram } from '../../scripts/hub/program.js';

/** The command line of `npm run hub`, without a hub behind it. */
describe('the command line of a hub', () => {
  /** What a line does: the command that it reaches, what is printed, and the exit code. */
  const say = async (
    ...args: string[]
  ): Promise<{ reached: string | null; out: string; errors: string; code: number }> => {
    const said = { reached: null as string | null, out: '', errors: '', code: 0 };
    const program = hubProgram((name) => {
      said.reached = name;
      return Promise.resolve();
    });
    const print = { writeOut: (text: string) => (said.out += text) };
    const note = { writeErr: (text: string) => (said.errors += text) };
    const configure = (command: typeof program): void => {
      command.configureOutput({ ...print, ...note });
      command.commands.forEach(configure);
    };
    configure(program);
    try {
      await program.parseAsync(args, { from: 'user' });
    } catch (error) {
      if (!(error instanceof CommanderError)) throw error;
      said.code = exitCodeOf(error);
    }
    return said;
  };

  for (const [name, ...args] of [
    ['import athletes', 'file.csv'],
    ['role', 'fan1', 'volunteer', '--take'],
    ['token', 'fan1'],
    ['ledger verify'],
    ['boards rebuild'],
    ['hide athlete', 'athlete1', '--show'],
    ['seed demo'],
  ] as [string, ...string[]][])
    it(`reaches ${name} and prints nothing`, async () => {
      expect(await say(...name.split(' '), ...args)).to.deep.equal({
        reached: name,
        out: '',
        errors: '',
        code: 0,
      });
    });

  it('lists every command as it is written, and explains one of them', async () => {
    const { out, errors, code } = await say('--help');
    expect([errors, code]).to.deep.equal(['', 0]);
    for (const usage of ['import athletes FILE', 'role FAN ROLE [--take]', 'hide athlete SLUG'])
      expect(out).to.contain(`  ${usage}`);
    const role = await say('role', '--help');
    expect(role.out).to.contain('npm run hub -- role FAN ROLE [--take]').and.contain('volunteer');
    expect(role.code).to.equal(0);
  });

  it('exits 2 for a command that there is not, and names one that was meant', async () => {
    const wrong = await say('tokn', 'fan1');
    expect([wrong.reached, wrong.out, wrong.code]).to.deep.equal([null, '', 2]);
    expect(wrong.errors).to.contain("unknown command 'tokn'").and.contain('token');
    expect((await say('ledger')).code).to.equal(2);
    expect((await say('ledger', 'burn')).code).to.equal(2);
  });

  it('exits 1 for a command that is not complete, and says how it is written', async () => {
    const { errors, code } = await say('role', 'fan1');
    expect(errors).to.contain('usage: npm run hub -- role FAN ROLE [--take]');
    expect(code).to.equal(1);
  });
});
