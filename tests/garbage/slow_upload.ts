import type { RepositoryModel } from "../crash/model.ts";
import { withQuery } from "../crash/uploads.ts";
import { digestOf } from "../support/image_layout.ts";
import { unlessLost } from "./actor.ts";
import { beginUpload } from "./blob_requests.ts";
import { complainOf, type Witness } from "./witness.ts";

const PIECES = 8;
const PIECE_BYTES = 1_000;

/**
 * A client whose last chunks take longer than the grace time, one after the other, of blobs that nothing will ever
 * refer to: what is announced before the first byte comes may be looked at, and found to be nothing, before the last.
 */
export async function sendSlowly(witness: Witness, signal: AbortSignal): Promise<void> {
  const { model, random } = witness;
  while (!signal.aborted) {
    const repository = random.pick(model.repositories)!;
    const pieces = Array.from({ length: PIECES }, () => random.bytes(PIECE_BYTES));
    await unlessLost(send(witness, repository, pieces));
  }
}

async function send(
  witness: Witness,
  repository: RepositoryModel,
  pieces: readonly Uint8Array<ArrayBuffer>[],
): Promise<void> {
  const { cluster, promises, tally } = witness;
  const digest = digestOf(await new Blob([...pieces]).bytes());
  const location = await beginUpload(witness, repository);
  if (!location) return;
  const path = withQuery(location, { digest });
  const answer = await cluster.send("PUT", path, { body: trickle(pieces, 1.3 * promises.graceMs / PIECES) });
  tally.add("slow uploads");
  if (answer.status !== 201) complainOf(witness, `PUT ${path}`, answer);
}

function trickle(pieces: readonly Uint8Array<ArrayBuffer>[], pauseMs: number): ReadableStream {
  const left = pieces.values();
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      const { value } = left.next();
      if (value) controller.enqueue(value);
      else controller.close();
    },
  }, { highWaterMark: 0 });
}
