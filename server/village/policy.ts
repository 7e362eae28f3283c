import type { ChatState } from './chat.model.js';

/**
 * What a room may become, from what it is: a closed list. A chat that was ended by mistake may go
 * live again; one that never began cannot end.
 */
export const TURNS: Readonly<Record<ChatState, readonly ChatState[]>> = {
  soon: ['live'],
  live: ['paused', 'ended'],
  paused: ['live', 'ended'],
  ended: ['live'],
};

/** Whether a room may go from one state to another. */
export const mayTurn = (from: ChatState, to: ChatState): boolean => TURNS[from].includes(to);
