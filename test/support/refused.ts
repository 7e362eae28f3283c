/** The id of the error with which something is refused; `taken` when it is not. */
export async function refused(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    return (error as { id?: string }).id ?? String(error);
  }
  return 'taken';
}
