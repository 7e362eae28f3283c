/** Prints a line of the answer. */
export const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** Prints a line for people, beside the answer. */
export const note = (line: string): void => {
  process.stderr.write(`${line}\n`);
};
