/**
 * One round of killing and looking: actors work until what they work on is killed, then it is held against the model.
 *
 * @module
 */

import { Actor } from "./actor.ts";
import { audit } from "./audit.ts";
import { Connection } from "./connection.ts";
import type { Model } from "./model.ts";
import type { Random } from "./random.ts";
import { resumeUpload } from "./uploads.ts";

/** What the actors push to. */
export const REPOSITORIES = ["crash", "crash/nested", "crash-other"];

const ACTORS = 5;
const REQUESTS_BEFORE_KILL = 120;
const KILL_DELAY_MAX_MS = 25;

/** What happened, so that it can be seen that something did. */
export interface Tally {
  requests: number;
  /** Uploads that were cut short and gone on with. */
  resumed: number;
  /** Of these, the ones that the crash met between their end and their blob: they begin anew. */
  lost: number;
}

/** What is killed. */
export interface Target {
  /** Where requests go. */
  readonly url: string;
  /** Kills it, or a part of it. */
  kill(): Promise<void>;
  /** Whether a part of it lives on, and for how many requests the actors go on then. */
  readonly goOn?: number;
}

/** Lets actors work until the server dies under them. Answers how many requests there were. */
export async function runUnderFire(target: Target, model: Model, random: Random): Promise<number> {
  // What lives on must not be sent again what the dead may have carried out.
  using connection = new Connection(target.url, { isKept: target.goOn === undefined });
  const killAt = 1 + random.below(REQUESTS_BEFORE_KILL);
  const delayMs = random.chance(0.5) ? random.below(KILL_DELAY_MAX_MS) : 0;
  const { promise: killed, resolve, reject } = Promise.withResolvers<void>();
  const kill = () => void target.kill().then(resolve, reject);
  connection.onRequest((sent) => {
    if (sent === killAt) setTimeout(kill, delayMs);
    if (sent === killAt + (target.goOn ?? Infinity)) void killed.then(() => connection.shut());
  });
  const actors = Array.from(
    { length: ACTORS },
    (_, id) => new Actor({ connection, model, random: random.fork() }, id),
  );
  await Promise.all([killed, ...actors.map((actor) => actor.run())]);
  return connection.sent;
}

/** Compares the store with the model, then goes on with the uploads that are open: most of them, not all. */
export async function check(
  url: string,
  model: Model,
  random: Random,
): Promise<Omit<Tally, "requests">> {
  using connection = new Connection(url);
  await audit(connection, model);
  model.deletions.clear();
  const tally = { resumed: 0, lost: 0 };
  for (const upload of [...model.uploads]) {
    if (random.chance(0.3)) continue;
    tally.resumed++;
    if (await resumeUpload({ connection, model, random }, upload) === "lost") tally.lost++;
  }
  return tally;
}
