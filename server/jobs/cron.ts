import { Cron } from "croner";

/** The times of a cron pattern. */
export interface CronTimes {
  /** The first time after `afterMs`, in milliseconds since the epoch; `undefined`: there is none. */
  next(afterMs: number): number | undefined;
}

const FIELDS = /^(?:@[a-z]+|\S+(?:\s+\S+){4,5})$/;

/**
 * The times that a cron pattern of five fields, or of six with seconds in front, means in a time zone. `undefined` where it is none, or
 * never comes.
 */
export function parseCron(pattern: string, timezone = "UTC"): CronTimes | undefined {
  if (!FIELDS.test(pattern)) return undefined;
  try {
    const cron = new Cron(pattern, { timezone, paused: true });
    const next = (afterMs: number) => cron.nextRun(new Date(afterMs))?.getTime();
    return next(Date.now()) === undefined ? undefined : { next };
  } catch {
    return undefined;
  }
}

/** Whether there is a time zone of this name: `UTC`, `Europe/Berlin`. */
export function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}
