/** Why a start is refused, in words for whoever started it: no fault of ours, no stack. */
export class Refusal extends Error {}
