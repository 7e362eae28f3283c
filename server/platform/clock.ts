/** Time comes from outside, so that tests steer it. */
export interface Clock {
  now(): Date;
}

export const systemClock: Clock = { now: () => new Date() };
