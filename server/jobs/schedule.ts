import { type CronTimes, parseCron } from "./cron.ts";

/** When kinds of jobs are due. */
export interface ScheduleSettings {
  /** Cron patterns, by kind. */
  readonly patterns: Readonly<Record<string, string>>;
  readonly timezone: string;
}

/** Longest sleep: a clock that was set is noticed after that. */
const SLEEP_MAX_MS = 60_000;

/** Tells when the time of a kind of jobs has come. */
export class Schedule {
  readonly #onDue: (kind: string, timeMs: number) => void;
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(onDue: (kind: string, timeMs: number) => void) {
    this.#onDue = onDue;
  }

  /** Goes by these patterns from now on. */
  replace({ patterns, timezone }: ScheduleSettings): void {
    this.close();
    for (const [kind, pattern] of Object.entries(patterns)) {
      const times = parseCron(pattern, timezone);
      if (times) this.#await(kind, times, times.next(Date.now()));
    }
  }

  /** Ends all waiting. */
  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #await(kind: string, times: CronTimes, timeMs: number | undefined): void {
    if (timeMs === undefined) return;
    const wake = () => {
      if (Date.now() < timeMs) return this.#await(kind, times, timeMs);
      this.#onDue(kind, timeMs);
      this.#await(kind, times, times.next(Math.max(timeMs, Date.now())));
    };
    const sleepMs = Math.min(Math.max(timeMs - Date.now(), 0), SLEEP_MAX_MS);
    this.#timers.set(kind, setTimeout(wake, sleepMs));
  }
}
