import type { ChildProcess, SpawnOptions } from 'node:child_process';

/** `spawn`, but what is started never outlives this process. Its id and its arguments are those of the program itself. */
export function spawnTied(command: string, args: string[], options: SpawnOptions): ChildProcess;
