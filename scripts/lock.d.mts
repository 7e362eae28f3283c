/** The name of the lock of this purpose on a folder, the same by whatever path the folder is reached. */
export function lockName(purpose: string, folder: string): string;

export interface Lock {
  /** Says who holds it, and what has become of that, to all who ask. */
  tell(words: unknown): void;
  release(): Promise<void>;
}
/** Takes a lock, or answers null when another process has it. */
export function takeLock(name: string): Promise<Lock | null>;

/** What the holder of a lock tells, as it changes; ends when the holder is gone. */
export function watchLock(name: string): AsyncGenerator<unknown, void, undefined>;

/** Takes a lock as soon as nobody has it; `waiting` hears when that takes more than a moment. */
export function lockAlone(name: string, waiting: () => void): Promise<Lock>;
