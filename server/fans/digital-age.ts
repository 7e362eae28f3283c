/**
 * Age from which a person may consent alone (GDPR art. 8 and national law; COPPA). Sixteen, the
 * regulation's own, where none is listed.
 */
const AGES: Record<string, number> = {
  AT: 14,
  BE: 13,
  BG: 14,
  CY: 14,
  CZ: 15,
  DE: 16,
  DK: 15,
  EE: 13,
  ES: 14,
  FI: 13,
  FR: 15,
  GB: 13,
  GR: 15,
  HR: 16,
  HU: 16,
  IE: 16,
  IS: 13,
  IT: 14,
  LI: 16,
  LT: 14,
  LU: 16,
  LV: 13,
  MT: 13,
  NL: 16,
  NO: 13,
  PL: 16,
  PT: 13,
  RO: 16,
  SE: 13,
  SI: 15,
  SK: 16,
  US: 13,
  CA: 13,
  AU: 16,
  NZ: 13,
  JP: 13,
  KR: 14,
  BR: 18,
  IN: 18,
  CN: 14,
  CH: 16,
};

/** The age in years from which a person of a country may consent alone. */
export const digitalAge = (country: string): number => AGES[country] ?? 16;

/**
 * Whether somebody born in this year has surely reached the country's digital age. Only the year is
 * asked, so whoever may still be below it this year has not: minors are protected by default.
 */
export const isOfAge = (birthYear: number, country: string, now: Date): boolean =>
  now.getUTCFullYear() - birthYear > digitalAge(country);
