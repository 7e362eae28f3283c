/**
 * Ties programs to the process that starts them: the kernel ends them with it, however it went,
 * kill -9 included. Plain JavaScript without imports from packages, because the set-up uses it
 * before there are any.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

// The wish to end with one's parent (prctl PR_SET_PDEATHSIG) outlasts exec. Whoever lost the parent
// before wishing ends at once.
const WAYS = [
  ['setpriv', '--pdeathsig', 'KILL', '--', '/bin/sh', '-c', '[ "$PPID" = "$0" ] && exec "$@"'],
  // Before util-linux 2.33 setpriv does not know the wish.
  [
    'python3',
    '-c',
    'import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); ' +
      'os.getppid() == int(sys.argv[1]) and os.execvp(sys.argv[2], sys.argv[2:])',
  ],
];

let chosen;
/**
 * The first way this machine has; none where it has neither: then `npm start` ends what an earlier
 * one left behind.
 */
function way() {
  chosen ??=
    WAYS.flatMap(([name, ...args]) =>
      // By its whole path, because what is started may be given another PATH.
      (process.env.PATH ?? '').split(delimiter).map((folder) => [join(folder, name), ...args]),
    ).find(
      ([file, ...args]) =>
        existsSync(file) &&
        spawnSync(file, [...args, String(process.pid), 'true'], { stdio: 'ignore' }).status === 0,
    ) ?? [];
  return chosen;
}

/**
 * The program and the arguments that run a command tied to this process. The id and the arguments
 * that the system shows are those of the command itself.
 */
export function tied(command, args) {
  const [first = command, ...before] = way();
  return first === command
    ? [command, args]
    : [first, [...before, String(process.pid), command, ...args]];
}

/** `spawn` for the set-up, which runs before there is execa: what it starts never outlives it. */
export function spawnTied(command, args, options) {
  return spawn(...tied(command, args), options);
}
