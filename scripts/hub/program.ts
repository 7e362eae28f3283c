import { Command, type CommanderError } from 'commander';
import { ROLES } from '../../server/platform/rights.js';
import { boardsRebuild, giveRole, hideAthlete, ledgerVerify, makeToken, seed } from './commands.js';
import { importAthletes } from './import.js';
import type { Work } from './work.js';

/** Runs the work of a command, which is called `name`, at a hub. */
export type Execute = (name: string, work: Work) => Promise<void>;

interface Leaf {
  usage: string;
  about: string;
  flags?: Record<string, string>;
  workOf: (args: string[], options: { take?: boolean; show?: boolean }) => Work;
}

const CALL = 'npm run hub --';

/** The whole name of a command: `ledger verify`. */
const nameOf = (command: Command): string =>
  command.parent ? `${nameOf(command.parent)} ${command.name()}`.trim() : '';

/** How a command is written: `role FAN ROLE [--take]`. */
function usageOf(command: Command): string {
  if (command.commands.length > 0) return `${nameOf(command)} COMMAND`.trim();
  const parts = command.registeredArguments.map((argument) => argument.name());
  const options = command.options.map(({ long }) => `[${long ?? ''}]`);
  return [nameOf(command), ...parts, ...options].join(' ');
}

/** The commands that do something, in whatever group they are. */
const leavesOf = (command: Command): Command[] =>
  command.commands.flatMap((inner) => (inner.commands.length > 0 ? leavesOf(inner) : [inner]));

/** Makes the command line of a hub; `execute` is handed what the chosen command does. */
export function hubProgram(execute: Execute): Command {
  const program = new Command('hub')
    .description('For people who run a hub. (npm run -s hub -- … prints nothing of npm’s own)')
    .exitOverride()
    .helpCommand(false)
    .helpOption('--help', 'Explains the commands, or one of them.')
    .configureHelp({
      visibleCommands: leavesOf,
      subcommandTerm: usageOf,
      commandUsage: (command) => `${CALL} ${usageOf(command)}`,
    });

  const add = (parent: Command, leaf: Leaf): void => {
    const command = parent.command(leaf.usage).description(leaf.about);
    for (const [flag, about] of Object.entries(leaf.flags ?? {})) command.option(flag, about);
    command
      .showHelpAfterError(`usage: ${CALL} ${usageOf(command)}`)
      .action(() => execute(nameOf(command), leaf.workOf(command.args, command.opts())));
  };
  const group = (name: string): Command => program.command(name).helpCommand(false);

  add(group('import'), {
    usage: 'athletes <FILE>',
    about:
      'Imports a directory file (CSV or CSV.gz, the format of scripts/data/README.md). ' +
      'May be repeated: the same file changes nothing.',
    workOf: ([file = '']) => importAthletes(file),
  });
  add(program, {
    usage: 'role <FAN> <ROLE>',
    about:
      `Gives a role (${ROLES.join(', ')}), or takes it. FAN: a hub id, network:handle, ` +
      '"name:what they are called here", or a plain handle of the demo.',
    flags: { '--take': 'Takes the role away.' },
    workOf: ([fan = '', role = ''], { take = false }) => giveRole(fan, role, take),
  });
  add(program, {
    usage: 'token <FAN>',
    about:
      'Makes a personal API token and prints it, and nothing else. ' +
      'A demo person who is no fan yet becomes one.',
    workOf: ([fan = '']) => makeToken(fan),
  });
  add(group('ledger'), {
    usage: 'verify',
    about:
      'Checks every entry: sequence, turns, sums, hashes, standings. ' +
      'Names the first bad one and exits 1.',
    workOf: () => ledgerVerify,
  });
  add(group('boards'), {
    usage: 'rebuild',
    about: 'Builds every board anew from the scores.',
    workOf: () => boardsRebuild,
  });
  add(group('hide'), {
    usage: 'athlete <SLUG>',
    about:
      'Takes somebody who objects out of the directory, for ever, ' +
      'whatever is imported later; --show brings them back.',
    flags: { '--show': 'Brings a hidden person back.' },
    workOf: ([slug = ''], { show = false }) => hideAthlete(slug, !show),
  });
  add(group('seed'), {
    usage: 'demo',
    about:
      'Fills an empty hub with the demo, once. ' +
      'Needs the sandbox networks of a running npm start.',
    workOf: () => seed,
  });
  return program;
}

/** The exit code for what commander throws instead of ending the process itself. */
export function exitCodeOf({ code, exitCode }: CommanderError): number {
  // No such command, or only the name of a group.
  if (code === 'commander.unknownCommand' || code === 'commander.help') return 2;
  return exitCode;
}
