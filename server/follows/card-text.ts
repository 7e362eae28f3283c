import type { Card } from '../networks/cards.js';

/** The card as an entry names it: its id, and how deeds were confirmed under it. */
export const cardText = (card: Pick<Card, 'id' | 'mode'>): string => `${card.id}:${card.mode}`;

/**
 * The parts of a card's text. The mode is what stands behind the last colon; an id may hold colons
 * of its own.
 */
export function parseCardText(text: string): { id: string; mode: string } {
  const colon = text.lastIndexOf(':');
  return colon < 0
    ? { id: text, mode: '' }
    : { id: text.slice(0, colon), mode: text.slice(colon + 1) };
}
