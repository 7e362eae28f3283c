import type { ChildProcess, SpawnOptions } from 'node:child_process';

/**
 * The program and the arguments that run a command tied to this process. The id and the arguments
 * that the system shows are those of the command itself.
 */
export function tied(command: string, args: readonly string[]): [string, readonly string[]];

/** `spawn` for the set-up, which runs before there is execa: what it starts never outlives it. */
export function spawnTied(command: string, args: string[], options: SpawnOptions): ChildProcess;
