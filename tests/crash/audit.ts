/**
 * Holds a registry that was killed and started again against the model: what was acknowledged is there, what was not
 * has happened wholly or not at all, and whatever can be read is whole.
 *
 * @module
 */

import { digestOf } from "../support/image_layout.ts";
import type { Answer, Connection } from "./connection.ts";
import type { ManifestModel, Model, RepositoryModel } from "./model.ts";

const PARALLEL = 8;

/** What is there. */
export interface Observation {
  /** Digests of blobs that can be read. */
  readonly blobs: ReadonlySet<string>;
  /** Digests of manifests that can be read. */
  readonly manifests: ReadonlySet<string>;
  /** Digests by the tags that point to them. */
  readonly tags: ReadonlyMap<string, string>;
}

/** Compares all there is with the model, complains to it, and takes over what it saw. */
export async function audit(connection: Connection, model: Model): Promise<void> {
  const named: string[] = [];
  const tagged: string[] = [];
  for (const repository of model.repositories) {
    const seen = await observe({ connection, model }, repository);
    complainOfReferences(model, repository, seen);
    await checkReferrers({ connection, model }, repository, seen);
    await checkTagList({ connection, model }, repository, seen);
    settle(model, repository, seen);
    if (seen.manifests.size > 0) named.push(repository.name);
    tagged.push(...[...seen.tags.keys()].map((tag) => `${repository.name}:${tag}`));
  }
  await checkCatalog({ connection, model }, { named, tagged });
}

/** A registry and what it is held against. */
interface Audit {
  readonly connection: Connection;
  readonly model: Model;
}

async function observe(audit: Audit, repository: RepositoryModel): Promise<Observation> {
  const blobs = new Set<string>();
  const manifests = new Set<string>();
  const tags = new Map<string, string>();
  await forEach([...repository.blobs.keys()], async (digest) => {
    if (await readBlob(audit, repository, digest)) blobs.add(digest);
  });
  await forEach([...repository.manifests.values()], async (manifest) => {
    if (await readManifest(audit, repository, manifest)) manifests.add(manifest.digest);
  });
  await forEach([...repository.tags.keys()], async (tag) => {
    const answer = await audit.connection.send("GET", `/v2/${repository.name}/manifests/${tag}`);
    if (answer.status === 200) tags.set(tag, digestOf(answer.bytes));
    else if (answer.status !== 404) {
      audit.model.complain(`GET of tag ${tag} was answered with ${answer.status}`);
    }
  });
  return { blobs, manifests, tags };
}

async function readBlob({ connection, model }: Audit, { name }: RepositoryModel, digest: string) {
  const answer = await connection.send("GET", `/v2/${name}/blobs/${digest}`);
  if (answer.status === 404) return false;
  if (answer.status !== 200 || !isWhole(answer, digest)) {
    model.complain(`GET of blob ${digest} was answered with ${describe(answer)}`);
  }
  return true;
}

async function readManifest(
  { connection, model }: Audit,
  { name }: RepositoryModel,
  manifest: ManifestModel,
) {
  const answer = await connection.send("GET", `/v2/${name}/manifests/${manifest.digest}`);
  if (answer.status === 404) return false;
  const mediaType = answer.headers.get("content-type");
  if (answer.status !== 200 || !isWhole(answer, manifest.digest) || mediaType !== manifest.mediaType) {
    model.complain(`GET of manifest ${manifest.digest} was answered with ${describe(answer)}, ${mediaType}`);
  }
  return true;
}

function complainOfReferences(model: Model, repository: RepositoryModel, seen: Observation): void {
  for (const manifest of readable(repository, seen)) {
    const missing = [
      ...manifest.blobs.filter((digest) => !seen.blobs.has(digest)),
      ...manifest.children.filter((digest) =>
        !seen.manifests.has(digest) && !repository.condemned.has(digest)
      ),
    ];
    if (missing.length === 0) continue;
    const promise = manifest.present.mayBe(false) ? "unacknowledged" : "acknowledged";
    model.complain(
      `${repository.name}: ${promise} manifest ${manifest.digest} can be read without its ${missing}`,
    );
  }
  for (const [tag, digest] of seen.tags) {
    if (!seen.manifests.has(digest)) {
      model.complain(`${repository.name}: ${tag} points to ${digest}, which is gone`);
    }
  }
}

async function checkReferrers(
  { connection, model }: Audit,
  repository: RepositoryModel,
  seen: Observation,
): Promise<void> {
  const expected = Map.groupBy(readable(repository, seen), ({ subject }) => subject);
  const subjects = [...repository.manifests.values()].map(({ subject }) => subject);
  await forEach([...new Set(subjects)], async (subject) => {
    if (subject === undefined) return;
    const answer = await connection.send("GET", `/v2/${repository.name}/referrers/${subject}`);
    const listed = (parse(answer) as { manifests?: { digest: string; size: number }[] }).manifests ?? [];
    const want = (expected.get(subject) ?? []).map(({ digest, bytes }) => `${digest} ${bytes.length}`);
    const have = listed.map(({ digest, size }) => `${digest} ${size}`);
    if (!isSame(have, want)) {
      model.complain(`${repository.name}: referrers of ${subject} are ${have}, not ${want}`);
    }
  });
}

async function checkTagList(
  { connection, model }: Audit,
  { name }: RepositoryModel,
  seen: Observation,
): Promise<void> {
  const answer = await connection.send("GET", `/v2/${name}/tags/list`);
  if (answer.status === 404 && seen.manifests.size === 0) return;
  const { tags } = parse(answer) as { tags?: string[] };
  if (!isSame(tags ?? [], [...seen.tags.keys()])) {
    model.complain(`${name}: tags/list has ${tags}, but there are ${[...seen.tags.keys()]}`);
  }
}

async function checkCatalog(
  { connection, model }: Audit,
  { named, tagged }: { readonly named: readonly string[]; readonly tagged: readonly string[] },
): Promise<void> {
  const { repositories } = parse(await connection.send("GET", "/v2/_catalog")) as { repositories: string[] };
  const missing = named.filter((name) => !repositories.includes(name));
  if (missing.length > 0) model.complain(`the catalog is without ${missing}`);
  const { tags } = parse(await connection.send("GET", "/v2/tags/list")) as { tags: string[] };
  if (!isSame(tags, tagged)) model.complain(`/v2/tags/list has ${tags}, but there are ${tagged}`);
}

/** Complains of what is not possible, and makes the model certain of what is there. */
function settle(model: Model, repository: RepositoryModel, seen: Observation): void {
  for (const { manifest, tags } of model.deletions) {
    if (!repository.manifests.has(manifest.digest) || !seen.manifests.has(manifest.digest)) continue;
    const gone = tags.filter((tag) => seen.tags.get(tag) !== manifest.digest);
    if (gone.length > 0) model.complain(`half a deletion: ${manifest.digest} is without its tags ${gone}`);
  }
  for (const [digest, register] of repository.blobs) {
    const present = seen.blobs.has(digest);
    if (!register.mayBe(present)) model.complain(`${repository.name}: blob ${digest} is there: ${present}`);
    // A push that was cut short after its bytes were verified may have left its link: the blob is there as soon as
    // somebody brings the bytes.
    if (present || !register.mayBe(true)) register.settle(present);
    else register.interrupt();
  }
  for (const { digest, present: register } of repository.manifests.values()) {
    const present = seen.manifests.has(digest);
    if (!register.mayBe(present)) {
      model.complain(`${repository.name}: manifest ${digest} is there: ${present}`);
    }
    register.settle(present);
  }
  for (const [tag, register] of repository.tags) {
    const digest = seen.tags.get(tag);
    if (!register.mayBe(digest)) {
      model.complain(`${repository.name}: ${tag} is ${digest}, not ${register.possible().join(" or ")}`);
    }
    register.settle(digest);
  }
}

function readable(repository: RepositoryModel, seen: Observation): ManifestModel[] {
  return [...repository.manifests.values()].filter(({ digest }) => seen.manifests.has(digest));
}

function isWhole({ bytes, headers }: Answer, digest: string): boolean {
  return digestOf(bytes) === digest && headers.get("content-length") === String(bytes.length) &&
    headers.get("docker-content-digest") === digest;
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return JSON.stringify(some.toSorted()) === JSON.stringify(others.toSorted());
}

function parse({ bytes }: Answer): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}

function describe({ status, bytes, headers }: Answer): string {
  return `${status}, ${bytes.length} of ${headers.get("content-length")} bytes, ${digestOf(bytes)}`;
}

/** Runs `act` for each thing, some at the same time. */
async function forEach<Thing>(things: readonly Thing[], act: (thing: Thing) => Promise<void>): Promise<void> {
  const left = things.values();
  const work = async () => {
    for (const thing of left) await act(thing);
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
}
