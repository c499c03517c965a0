/** A job of the server, as its clients see it. */

import { type Client, pathOf } from "./client.ts";
import { anything, dictionary, number, object, optional, type Shaped, text } from "./shape.ts";

/** What a server says of a job. */
export const JOB = object({
  id: text,
  kind: text,
  options: optional(dictionary(anything)),
  state: text,
  started_by: optional(object({ id: optional(text), username: optional(text) })),
  started_at: text,
  ended_at: optional(text),
  replica: optional(text),
  progress: optional(object({
    phase: text,
    done: number,
    total: optional(number),
    unit: text,
    bytes: optional(number),
  })),
  lines: optional(number),
  error: optional(text),
  report: optional(dictionary(anything)),
});

/** A job. */
export type Job = Shaped<typeof JOB>;

/** Asks for a job. */
export function askJob(client: Client, id: string): Promise<Job> {
  return client.ask({ path: pathOf`/admin/v1/jobs/${id}`, shape: JOB });
}

/** The path of what is done with a job. */
export function jobPath(id: string, verb: "cancel" | "resume" | "lines"): string {
  return pathOf`/admin/v1/jobs/${id}/` + verb;
}
