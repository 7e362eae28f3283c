import { Argument, Command, InvalidArgumentError } from 'commander';

/** How large the scenarios are. */
export interface Sizes {
  fans: number;
  awards: number;
  stars: number;
  hundred: number;
  sockets: number;
  identities: number;
  deeds: number;
  minutes: number;
  soakers: number;
  rate: number;
  connects: number;
}

const SIZES: Record<keyof Sizes, [normal: number, about: string]> = {
  fans: [1_000_000, 'fans on the boards'],
  awards: [20_000, 'follows that are awarded'],
  stars: [1000, 'verified accounts of the hub'],
  hundred: [800, 'fans who make their hundredth follow'],
  sockets: [5000, 'sockets under which web is restarted'],
  identities: [10_000, 'identities that come due at once'],
  deeds: [2, 'athletes whom each of them follows'],
  minutes: [60, 'minutes of mixed load'],
  soakers: [3000, 'fans who make that load'],
  // About half of what two cores can do, so that an hour shows memory and not a queue.
  rate: [80, 'its requests a second'],
  connects: [10, 'its newly opened sockets a second'],
};
const ALWAYS = [
  'start',
  'awards',
  'hundredth',
  'link',
  'pages',
  'chat',
  'storm',
  'search',
  'boards',
] as const;
/** These take minutes or an hour, and so run only when they are named. */
const BY_NAME = ['soak', 'burst'] as const;

/** A scenario of the bench. */
export type Scenario = (typeof ALWAYS)[number] | (typeof BY_NAME)[number];

/** What a run of the bench does. */
export interface BenchOptions {
  /** Whether this scenario is part of the run. */
  isWanted(scenario: Scenario): boolean;
  sizes: Sizes;
  /** The folder that gets a CPU profile of each process; null without. */
  profile: string | null;
}

function count(text: string): number {
  const number = Number(text);
  if (!Number.isFinite(number) || number <= 0) throw new InvalidArgumentError('It is no number.');
  return number;
}

/** Reads the command line of `npm run bench`, and ends the process where it cannot be read. */
export function readOptions(args: string[]): BenchOptions {
  const program = new Command('npm run bench --')
    .description('Measures each promise beside the bare limit of the same machine.')
    .helpOption('--help', 'Explains the scenarios and their sizes.')
    .addArgument(
      new Argument(
        '[scenarios...]',
        `all but ${BY_NAME.join(' and ')} where none is named`,
      ).choices([...ALWAYS, ...BY_NAME]),
    )
    .option('--profile <DIR>', 'writes a CPU profile of each process there');
  for (const [name, [normal, about]] of Object.entries(SIZES))
    program.option(`--${name} <N>`, about, count, normal);
  // Scenarios are checked on the way to an action only.
  program.action(() => undefined).parse(args, { from: 'user' });
  const { profile = null, ...sizes } = program.opts<Sizes & { profile?: string }>();
  const named = program.args as Scenario[];
  const normally: readonly Scenario[] = named.length > 0 ? named : ALWAYS;
  return { isWanted: (scenario) => normally.includes(scenario), sizes, profile };
}
