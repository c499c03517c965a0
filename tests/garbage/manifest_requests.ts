/**
 * What clients do to manifests and tags, each answer held against the model.
 *
 * @module
 */

import type { Answer } from "../crash/connection.ts";
import type { ManifestModel, RepositoryModel } from "../crash/model.ts";
import { type Moment, moment, type Write } from "../crash/register.ts";
import { text } from "../crash/uploads.ts";
import { digestOf } from "../support/image_layout.ts";
import {
  acknowledge,
  complainOf,
  conclude,
  requireAbsence,
  sendWrites,
  takeBack,
  type Witness,
} from "./witness.ts";

/** A manifest of a repository. */
export interface Place {
  readonly repository: RepositoryModel;
  readonly manifest: ManifestModel;
}

/** Pushes a manifest, and points tags to it. Answers the digest that it was refused for, if it was. */
export async function putManifest(
  witness: Witness,
  { repository, manifest }: Place,
  tags: readonly string[] = [],
): Promise<string | undefined> {
  const { cluster, tally } = witness;
  const { digest, mediaType, bytes, present } = manifest;
  const query = tags.map((tag, index) => `${index === 0 ? "?" : "&"}tag=${tag}`).join("");
  const path = `/v2/${repository.name}/manifests/${digest}${query}`;
  const since = moment();
  const writes = [present.begin(true), ...tags.map((tag) => repository.tag(tag).begin(digest))];
  const parts = { headers: { "content-type": mediaType }, body: bytes };
  const answer = await sendWrites(writes, () => cluster.send("PUT", path, parts));
  if (answer.status === 201) {
    acknowledge(writes);
    tally.add("pushes");
    complainOfAcceptance(witness, { repository, manifest }, since);
    return undefined;
  }
  takeBack(writes);
  tally.add("refused pushes");
  const missing = missingDigest(answer);
  if (missing === undefined) complainOf(witness, `PUT ${path}`, answer);
  else complainOfRefusal(witness, { repository, manifest }, { missing, since });
  return missing;
}

function complainOfAcceptance(
  { model }: Witness,
  { repository, manifest }: Place,
  since: Moment,
): void {
  const missing = [
    ...manifest.blobs.filter((blob) => !repository.blob(blob).mayBe(true, since)),
    ...manifest.children.filter((child) => !repository.manifests.get(child)!.present.mayBe(true, since)),
  ];
  if (missing.length === 0) return;
  model.complain(`${repository.name}: the push of ${manifest.digest} was taken without its ${missing}`);
}

function complainOfRefusal(
  witness: Witness,
  { repository, manifest }: Place,
  { missing, since }: { readonly missing: string; readonly since: Moment },
): void {
  const by = `the push of ${manifest.digest}`;
  if (manifest.blobs.includes(missing)) {
    return requireAbsence(witness, { repository, digest: missing, since, by });
  }
  const child = repository.manifests.get(missing);
  const mayBeMissing = manifest.children.includes(missing) && child?.present.mayBe(false, since);
  if (!mayBeMissing) witness.model.complain(`${repository.name}: ${by} misses ${missing}, which is there`);
}

function missingDigest({ status, bytes }: Answer): string | undefined {
  if (status !== 404) return undefined;
  const { errors } = JSON.parse(new TextDecoder().decode(bytes)) as {
    readonly errors: readonly { readonly code: string; readonly detail?: { readonly digest?: string } }[];
  };
  return errors[0]?.code === "MANIFEST_BLOB_UNKNOWN" ? errors[0].detail?.digest : undefined;
}

/** Reads a manifest by its digest and compares it. Answers whether it is there. */
export async function readManifest(
  witness: Witness,
  { repository, manifest: { digest, mediaType, present } }: Place,
): Promise<boolean> {
  const { cluster, model, tally } = witness;
  const path = `/v2/${repository.name}/manifests/${digest}`;
  const since = moment();
  const answer = await cluster.send("GET", path);
  tally.add("manifest pulls");
  const isThere = answer.status === 200;
  if (answer.status !== 404) requireWhole(witness, `GET ${path}`, { answer, digest, mediaType });
  if (!present.mayBe(isThere, since)) {
    model.complain(`GET ${path} says that the manifest is ${isThere ? "there" : "gone"}, which it is not`);
  }
  return isThere;
}

function requireWhole(
  witness: Witness,
  request: string,
  { answer, digest, mediaType }: {
    readonly answer: Answer;
    readonly digest: string;
    readonly mediaType: string;
  },
): void {
  const isWhole = answer.status === 200 && digestOf(answer.bytes) === digest &&
    answer.headers.get("content-type") === mediaType;
  if (!isWhole) complainOf(witness, request, answer);
}

/** Reads what a tag points to. */
export async function readTag(
  witness: Witness,
  repository: RepositoryModel,
  tag: string,
): Promise<ManifestModel | undefined> {
  const { cluster, model, tally } = witness;
  const path = `/v2/${repository.name}/manifests/${tag}`;
  const since = moment();
  const answer = await cluster.send("GET", path);
  tally.add("tag pulls");
  const possible = repository.tag(tag).possible(since);
  const says = () => possible.join(" or ") || "nothing";
  if (answer.status === 404) {
    const mayBeGone = possible.some((digest) => mayBeAbsent(repository, digest, since));
    if (!mayBeGone) model.complain(`GET ${path} finds nothing, but it points to ${says()}`);
    return undefined;
  }
  const digest = digestOf(answer.bytes);
  const manifest = repository.manifests.get(digest);
  if (!manifest || !possible.includes(digest) || !manifest.present.mayBe(true, since)) {
    model.complain(`GET ${path} finds ${digest}, but it points to ${says()}`);
    return undefined;
  }
  requireWhole(witness, `GET ${path}`, { answer, digest, mediaType: manifest.mediaType });
  return manifest;
}

function mayBeAbsent(repository: RepositoryModel, digest: string | undefined, since: Moment): boolean {
  return digest === undefined || repository.manifests.get(digest)!.present.mayBe(false, since);
}

/** Reads which tags there are: all that point to something, and none that points to nothing. */
export async function readTagList(witness: Witness, repository: RepositoryModel): Promise<void> {
  const { cluster, model, tally } = witness;
  const path = `/v2/${repository.name}/tags/list`;
  const since = moment();
  const answer = await cluster.send("GET", path);
  tally.add("tag lists");
  if (answer.status !== 200) return complainOf(witness, `GET ${path}`, answer);
  const listed = (JSON.parse(text(answer)) as { tags: string[] }).tags;
  for (const [tag, register] of repository.tags) {
    const isListed = listed.includes(tag);
    const possible = register.possible(since);
    const mayBe = possible.some((digest) =>
      isListed ? mayBePresent(repository, digest, since) : mayBeAbsent(repository, digest, since)
    );
    if (!mayBe) model.complain(`GET ${path} lists ${tag}: ${isListed}, but it points to ${possible}`);
  }
}

function mayBePresent(repository: RepositoryModel, digest: string | undefined, since: Moment): boolean {
  return digest !== undefined && repository.manifests.get(digest)!.present.mayBe(true, since);
}

/** Reads which manifests have this one as their subject. */
export async function readReferrers(witness: Witness, { repository, manifest }: Place): Promise<void> {
  const { cluster, model, tally } = witness;
  const path = `/v2/${repository.name}/referrers/${manifest.digest}`;
  const since = moment();
  const answer = await cluster.send("GET", path);
  tally.add("referrers lists");
  if (answer.status !== 200) return complainOf(witness, `GET ${path}`, answer);
  const listed = (JSON.parse(text(answer)) as { manifests: { digest: string }[] }).manifests;
  const digests = new Set(listed.map(({ digest }) => digest));
  for (const { digest, subject, present } of repository.manifests.values()) {
    const isListed = digests.has(digest);
    const mayBe = subject === manifest.digest ? present.mayBe(isListed, since) : !isListed;
    if (!mayBe) model.complain(`GET ${path} lists ${digest}: ${isListed}, which is wrong`);
  }
}

/** Deletes a tag. */
export async function deleteTag(witness: Witness, repository: RepositoryModel, tag: string): Promise<void> {
  const { cluster, tally } = witness;
  const path = `/v2/${repository.name}/manifests/${tag}`;
  const register = repository.tag(tag);
  const since = moment();
  const write = register.begin(undefined);
  const answer = await sendWrites([write], () => cluster.send("DELETE", path));
  tally.add("tag deletes");
  if (answer.status === 202) return write.acknowledge();
  write.withdraw();
  const mayBeGone = register.possible(since).some((digest) => mayBeAbsent(repository, digest, since));
  if (answer.status !== 404 || !mayBeGone) complainOf(witness, `DELETE ${path}`, answer);
}

/** Deletes a manifest, and with it the tags that point to it. */
export async function deleteManifest(witness: Witness, { repository, manifest }: Place): Promise<void> {
  const { cluster, tally } = witness;
  const { digest, present } = manifest;
  const path = `/v2/${repository.name}/manifests/${digest}`;
  repository.condemned.add(digest);
  const since = moment();
  const certain = [...repository.tags.values()].filter((tag) => isOnly(tag.possible(), digest));
  const untagged = certain.map((tag) => tag.begin(undefined));
  const write = present.begin(false);
  let deleted: readonly Write[] = [];
  try {
    const answer = await sendWrites([write, ...untagged], () => cluster.send("DELETE", path));
    tally.add("manifest deletes");
    if (answer.status !== 202) {
      for (const one of [write, ...untagged]) one.withdraw();
      if (answer.status !== 404 || !present.mayBe(false, since)) {
        complainOf(witness, `DELETE ${path}`, answer);
      }
      return;
    }
    deleted = [write, ...untagged];
  } finally {
    // Who set a tag to it meanwhile may have been before or after.
    const others = [...repository.tags.values()].filter((tag) => tag.mayBe(digest, since));
    conclude(others.map((tag) => tag.begin(undefined)));
  }
  acknowledge([deleted[0]!]);
  // Somebody who has pushed it again meanwhile has kept its tags.
  if (isOnly(present.possible(), false)) acknowledge(deleted.slice(1));
  else conclude(deleted.slice(1));
}

function isOnly<Value>(possible: readonly Value[], value: Value): boolean {
  return possible.length === 1 && possible[0] === value;
}
