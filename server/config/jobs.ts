import { isTimezone, parseCron } from "../jobs/cron.ts";
import { boolean, duration, integer, scalar } from "./kinds.ts";
import { defaulted, table } from "./tables.ts";

/** When a kind of jobs runs; `"off"`: never by itself. */
const CRON = scalar(
  'a cron pattern such as "17 * * * *", or "off"',
  (value) => typeof value === "string" && (value === "off" || parseCron(value)) ? value : undefined,
);

const TIMEZONE = scalar(
  'a time zone such as "Europe/Berlin"',
  (value) => typeof value === "string" && isTimezone(value) ? value : undefined,
);

/** `[schedule]`. */
export const SCHEDULE = table({
  gc: defaulted(CRON, { to: "17 * * * *", doc: "When garbage is collected." }),
  retention: defaulted(CRON, { to: "off", doc: "When what no retention rule keeps is deleted." }),
  scrub: defaulted(CRON, {
    to: "off",
    doc: "When the store is looked through for damage; nothing is changed.",
  }),
  timezone: defaulted(TIMEZONE, { to: "UTC", doc: "The time zone of the patterns." }),
});

/** `[jobs]`. */
export const JOBS = table({
  resume: defaulted(boolean, {
    to: true,
    doc: "Whether a job that a stop or a crash of its replica interrupted goes on by itself.",
  }),
  keep: defaulted(integer({ min: 1, max: 5_000 }), {
    to: 500n,
    doc: "How many jobs are remembered, with their reports.",
  }),
  lease_lifetime: defaulted(duration({ min: "1s", max: "10m" }), {
    to: "30s",
    doc: "How long a replica that is silent keeps others from running jobs. All replicas have the same.",
  }),
});
