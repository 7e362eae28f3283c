/** Cuts a list into pieces of `size`, of which the last may be shorter. */
export function* inPieces<T>(all: readonly T[], size: number): Generator<T[]> {
  for (let from = 0; from < all.length; from += size) yield all.slice(from, from + size);
}
