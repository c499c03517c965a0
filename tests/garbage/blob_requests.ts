/**
 * What clients do to blobs, each answer held against the model.
 *
 * @module
 */

import type { RepositoryModel } from "../crash/model.ts";
import { moment } from "../crash/register.ts";
import { withQuery } from "../crash/uploads.ts";
import { digestOf } from "../support/image_layout.ts";
import { acknowledge, complainOf, conclude, requireAbsence, sendWrites, type Witness } from "./witness.ts";

/** Asks whether the repository has the blob; with `GET` compares its bytes too. */
export async function askForBlob(
  witness: Witness,
  { method, repository, digest }: {
    readonly method: "GET" | "HEAD";
    readonly repository: RepositoryModel;
    readonly digest: string;
  },
): Promise<boolean> {
  const { cluster, model, promises, tally } = witness;
  const since = moment();
  const askedAtMs = performance.now();
  const request = `${method} /v2/${repository.name}/blobs/${digest}`;
  const answer = await cluster.send(method, `/v2/${repository.name}/blobs/${digest}`);
  tally.add(method === "GET" ? "blob pulls" : "blob HEADs");
  if (answer.status === 404) {
    requireAbsence(witness, { repository, digest, since, by: request });
    return false;
  }
  const isWhole = method === "HEAD" || digestOf(answer.bytes) === digest;
  if (answer.status !== 200 || !isWhole) complainOf(witness, request, answer);
  if (!repository.blob(digest).mayBe(true, since)) {
    model.complain(`${request} finds what nobody has brought`);
  }
  promises.tell(repository, digest, askedAtMs);
  repository.blob(digest).see(true, since);
  return true;
}

/** Begins an upload; answers its path. */
export async function beginUpload(
  witness: Witness,
  { name }: RepositoryModel,
): Promise<string | undefined> {
  const answer = await witness.cluster.send("POST", `/v2/${name}/blobs/uploads/`);
  const location = answer.headers.get("location");
  if (answer.status === 202 && location) return location;
  complainOf(witness, `POST /v2/${name}/blobs/uploads/`, answer);
  return undefined;
}

/** Sends the bytes of an upload, and does not end it. */
export async function sendBytes(
  witness: Witness,
  location: string,
  body: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const answer = await witness.cluster.send("PATCH", location, { body });
  if (answer.status !== 202) complainOf(witness, `PATCH ${location}`, answer);
}

/** Ends an upload, with its last bytes or all, as a blob of the repository. */
export async function endUpload(
  witness: Witness,
  { location, repository, digest, body }: {
    readonly location: string;
    readonly repository: RepositoryModel;
    readonly digest: string;
    readonly body?: Uint8Array<ArrayBuffer>;
  },
): Promise<void> {
  const path = withQuery(location, { digest });
  await bring(witness, { repository, digest }, { method: "PUT", path, ...(body && { body }) });
}

/** Sends a blob, in one request or two. */
export async function sendBlob(
  witness: Witness,
  repository: RepositoryModel,
  digest: string,
): Promise<void> {
  const { model, random } = witness;
  const body = model.contents.get(digest)!;
  if (random.chance(0.5)) {
    const path = withQuery(`/v2/${repository.name}/blobs/uploads/`, { digest });
    return await bring(witness, { repository, digest }, { method: "POST", path, body });
  }
  const location = await beginUpload(witness, repository);
  if (location) await endUpload(witness, { location, repository, digest, body });
}

async function bring(
  witness: Witness,
  { repository, digest }: { readonly repository: RepositoryModel; readonly digest: string },
  { method, path, body }: {
    readonly method: string;
    readonly path: string;
    readonly body?: Uint8Array<ArrayBuffer>;
  },
): Promise<void> {
  const { cluster, promises, tally } = witness;
  const askedAtMs = performance.now();
  const writes = [repository.blob(digest).begin(true)];
  const answer = await sendWrites(writes, () => cluster.send(method, path, body && { body }));
  if (answer.status !== 201) {
    conclude(writes);
    return complainOf(witness, `${method} ${path}`, answer);
  }
  acknowledge(writes);
  promises.tell(repository, digest, askedAtMs);
  tally.add("uploads");
}

/** Asks for a blob of another repository. Answers whether the repository has it now; if not, nothing is left of it. */
export async function mountBlob(
  witness: Witness,
  { repository, from, digest }: {
    readonly repository: RepositoryModel;
    readonly from: RepositoryModel;
    readonly digest: string;
  },
): Promise<boolean> {
  const { cluster, promises, tally } = witness;
  const path = withQuery(`/v2/${repository.name}/blobs/uploads/`, { mount: digest, from: from.name });
  const since = moment();
  const askedAtMs = performance.now();
  const writes = [repository.blob(digest).begin(true)];
  const answer = await sendWrites(writes, () => cluster.send("POST", path));
  if (answer.status === 201) {
    acknowledge(writes);
    promises.tell(repository, digest, askedAtMs);
    tally.add("mounts");
    return true;
  }
  // The link may be there: the blob is too, as soon as somebody brings the bytes.
  conclude(writes);
  const location = answer.headers.get("location");
  if (answer.status !== 202 || !location) {
    complainOf(witness, `POST ${path}`, answer);
    return false;
  }
  requireAbsence(witness, { repository: from, digest, since, by: `POST ${path}` });
  await cluster.send("DELETE", location);
  return false;
}

/** Deletes a blob, or is refused because a manifest needs it. */
export async function deleteBlob(
  witness: Witness,
  repository: RepositoryModel,
  digest: string,
): Promise<void> {
  const { cluster, tally } = witness;
  const path = `/v2/${repository.name}/blobs/${digest}`;
  const since = moment();
  const write = repository.blob(digest).begin(false);
  const answer = await sendWrites([write], () => cluster.send("DELETE", path));
  if (answer.status === 202) {
    tally.add("blob deletes");
    write.acknowledge();
    const { model, promises } = witness;
    const reason = promises.reasonToBeNeeded(repository, digest, since);
    if (reason !== undefined) model.complain(`DELETE ${path} was done, but ${reason}`);
    return;
  }
  write.withdraw();
  if (answer.status === 404) {
    return requireAbsence(witness, { repository, digest, since, by: `DELETE ${path}` });
  }
  const mayBeNeeded = [...repository.manifests.values()].some(({ blobs, present }) =>
    blobs.includes(digest) && present.mayBe(true, since)
  );
  if (answer.status !== 405 || !mayBeNeeded) complainOf(witness, `DELETE ${path}`, answer);
}
