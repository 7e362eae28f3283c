/** What sign-in needs from those who ask networks: to hear of a new link. It may be heard twice and must bear it. */
export interface Linked {
  linked(fan: string, network: string): Promise<void>;
}
