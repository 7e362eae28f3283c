/** Why a start is refused, in words for whoever started it; no fault of ours, so without a stack. */
export class Refusal extends Error {}
