import type { Answer } from "../crash/connection.ts";
import { LostAnswer } from "../crash/connection.ts";
import type { Model, RepositoryModel } from "../crash/model.ts";
import type { Random } from "../crash/random.ts";
import type { Moment, Write } from "../crash/register.ts";
import { text } from "../crash/uploads.ts";
import type { Cluster } from "./cluster.ts";
import type { Promises } from "./promises.ts";
import type { Tally } from "./tally.ts";

/** A client that holds each answer against the model. */
export interface Witness {
  readonly cluster: Pick<Cluster, "send">;
  readonly model: Model;
  readonly promises: Promises;
  readonly random: Random;
  readonly tally: Tally;
}

/** Sends what writes. Where the answer is lost, the writes may have happened. */
export async function sendWrites(writes: readonly Write[], send: () => Promise<Answer>): Promise<Answer> {
  try {
    return await send();
  } catch (error) {
    if (error instanceof LostAnswer) conclude(writes);
    throw error;
  }
}

/** The writes have happened. */
export function acknowledge(writes: readonly Write[]): void {
  for (const write of writes) write.acknowledge();
}

/** The writes may have happened. */
export function conclude(writes: readonly Write[]): void {
  for (const write of writes) write.conclude();
}

/** The writes may have happened, and were taken back. */
export function takeBack(writes: readonly Write[]): void {
  for (const write of writes) write.takeBack();
}

/** Complains where a blob was missed that had to be there all the time since. */
export function requireAbsence(
  { model, promises }: Witness,
  { repository, digest, since, by }: {
    readonly repository: RepositoryModel;
    readonly digest: string;
    readonly since: Moment;
    /** What missed it. */
    readonly by: string;
  },
): void {
  const reason = promises.reasonToBeThere(repository, digest, since);
  if (reason === undefined) return;
  model.complain(`${repository.name}: ${by} misses the blob ${digest}, but ${reason}`);
}

/** Complains of an answer that no state of the registry explains. */
export function complainOf({ model }: Witness, request: string, answer: Answer): void {
  model.complain(`${request} was answered with ${answer.status} ${text(answer).slice(0, 500)}`);
}
