/** A field of a query or a form as text; empty when it is missing or given twice. */
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The parts of a field that lists several things, with commas between them. */
export const listOf = (value: unknown): string[] => textOf(value).split(',').filter(Boolean);
