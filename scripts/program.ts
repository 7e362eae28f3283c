import type { Readable } from 'node:stream';
import { execa, type Options, type ResultPromise } from 'execa';
import { tied } from './tie.mjs';

/** Where output goes: kept until the end, nowhere, to ours, or into an open file. */
type Output = 'pipe' | 'ignore' | 'inherit' | number;

/** How a program is started. */
export interface ProgramOptions {
  cwd?: string;
  /** The whole environment; ours without. */
  env?: NodeJS.ProcessEnv;
  /** Its own process group, so that Ctrl-C reaches only this process. */
  detached?: boolean;
  stdin?: 'ignore' | 'inherit';
  stdout?: Output;
  stderr?: Output;
  /** Whether it can send messages. */
  ipc?: boolean;
  /** How long it may take to end once it was asked to, in ms; without, as long as it needs. */
  patienceMs?: number;
  /** Ends it when aborted. */
  signal?: AbortSignal | undefined;
}

/** How a program ended, and what it printed where that was kept. */
export interface Ended {
  /** Null when a signal ended it, or it could not be started. */
  code: number | null;
  signal: NodeJS.Signals | null;
  out: string;
  errors: string;
}

type Subprocess = ResultPromise<Options & { reject: false; ipc: true; serialization: 'json' }>;

/** A program that was started here and never outlives this process, however this process ends. */
export class Program {
  /** Resolves when it has ended, however that went. */
  readonly ended: Promise<Ended>;

  /** A subprocess of execa is a promise of its end: handed on bare, it would be awaited. */
  constructor(private readonly subprocess: Subprocess) {
    const textOf = (output: unknown): string => (typeof output === 'string' ? output : '');
    this.ended = subprocess.then(({ exitCode, signal, stdout, stderr }) => ({
      code: exitCode ?? null,
      signal: signal ?? null,
      out: textOf(stdout),
      errors: textOf(stderr),
    }));
  }

  /** Its id, or 0 when it could not be started. */
  get pid(): number {
    return this.subprocess.pid ?? 0;
  }
  /** Null while it runs, and when a signal ended it. */
  get exitCode(): number | null {
    return this.subprocess.exitCode;
  }
  /** What it prints, where that is a pipe. */
  get stdout(): Readable | null {
    return this.subprocess.stdout;
  }

  /** Sends it a signal and waits for its end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    // One that was let go would not keep this process waiting.
    this.subprocess.ref();
    this.subprocess.kill(signal);
    return this.ended;
  }

  /** Lets this process end while it runs. */
  letGo(): void {
    this.subprocess.unref();
  }

  /** Sends it a message, if it still runs. */
  send(message: string): void {
    void this.subprocess.sendMessage(message).catch(() => undefined);
  }

  /** Waits for a message that has this property; null when it ends before. */
  async message<T extends object>(property: string): Promise<T | null> {
    const hasIt = (message: unknown): boolean =>
      typeof message === 'object' && message !== null && property in message;
    const found: unknown = await this.subprocess.getOneMessage({ filter: hasIt }).catch(() => null);
    return found as T | null;
  }
}

/** Starts a program by execa, tied to this process. */
export function startProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Program {
  const { stdin = 'ignore', stdout = 'pipe', stderr = 'pipe', ipc = false } = options;
  const settings = {
    // The kernel ends the program with this process (tie.mjs), also at kill -9: `cleanup` could
    // not, and would send a second signal to what is being stopped in order.
    cleanup: false,
    // What the caller left out of the environment must not come back.
    extendEnv: false,
    env: options.env ?? process.env,
    // A program that ends badly is an answer to look at, no exception.
    reject: false,
    stripFinalNewline: false,
    // A program that stops takes the time it needs, unless the caller says otherwise.
    forceKillAfterDelay: options.patienceMs ?? false,
    stdin,
    stdout,
    stderr,
    ipc,
    serialization: 'json',
    // Messages are read as they come; kept to the end, those of a hub would pile up for days.
    buffer: { ipc: false },
    detached: options.detached ?? false,
    ...(options.cwd ? { cwd: options.cwd } : {}),
    ...(options.signal ? { cancelSignal: options.signal } : {}),
  } as const;
  // Its types know none of the files that are open here; it takes any descriptor.
  const subprocess: unknown = execa(...tied(command, args), settings as Options);
  return new Program(subprocess as Subprocess);
}

/** Runs a program to its end. */
export const runProgram = (
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<Ended> => startProgram(command, args, options).ended;
