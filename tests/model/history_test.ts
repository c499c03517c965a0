import fc from "fast-check";
import { assertEquals } from "../support/assert.ts";
import { type Content, contentOf, imageOf, RegistryClient } from "../support/client.ts";
import { startRegistry } from "../support/registry.ts";

/**
 * Histories of pushes, mounts and deletions against a model of what a registry is. `SREG_MODEL_RUNS` sets how many,
 * `SREG_MODEL_SEED` repeats them; the seed stands in a failure's message.
 */
const RUNS = Number(Deno.env.get("SREG_MODEL_RUNS") ?? 25);
const SEED = Deno.env.get("SREG_MODEL_SEED");
const COMMANDS_MAX = 40;

const BLOBS = ["one", "two", "three"].map((text) => contentOf(text));
const TAGS = ["a", "a-b", "B", "0.1.2", "0.1.20"];

interface RepositoryModel {
  /** Digests. */
  readonly blobs: Set<string>;
  /** By digest. */
  readonly manifests: Map<string, Content>;
  /** Digests by tag. */
  readonly tags: Map<string, string>;
  exists: boolean;
}

/** What the registry has to be, by repository. */
class Model {
  readonly repositories = new Map<string, RepositoryModel>();

  of(name: string): RepositoryModel {
    const known = this.repositories.get(name);
    if (known) return known;
    const fresh = { blobs: new Set<string>(), manifests: new Map(), tags: new Map(), exists: false };
    this.repositories.set(name, fresh);
    return fresh;
  }
}

/** The registry of one history: names of its own, so that one server serves all histories. */
interface Real {
  readonly registry: RegistryClient;
  readonly prefix: string;
}

type Step = fc.AsyncCommand<Model, Real>;

/** A step: what it is called, and what it does to the model and, after that, to the registry. */
function step(label: string, run: (model: Model, real: Real) => Promise<void>): Step {
  return { check: () => true, run, toString: () => label };
}

function manifestOf(blob: Content, note: number): Content {
  return imageOf(blob, [], { annotations: { note: String(note) } });
}

function pushBlob(name: string, blob: Content): Step {
  return step(`push ${blob.digest.slice(7, 12)} to ${name}`, async (model, { registry, prefix }) => {
    await registry.pushBlob(prefix + name, blob);
    model.of(name).blobs.add(blob.digest);
  });
}

function mountBlob(name: string, from: string, blob: Content): Step {
  return step(
    `mount ${blob.digest.slice(7, 12)} from ${from} to ${name}`,
    async (model, { registry, prefix }) => {
      const query = `mount=${blob.digest}&from=${prefix}${from}`;
      const { status } = await registry.send("POST", `/v2/${prefix}${name}/blobs/uploads/?${query}`);
      const has = model.of(from).blobs.has(blob.digest);
      assertEquals(status, has ? 201 : 202);
      if (has) model.of(name).blobs.add(blob.digest);
    },
  );
}

function pushManifest(
  name: string,
  blob: Content,
  { note, tag }: { note: number; tag: string | undefined },
): Step {
  const manifest = manifestOf(blob, note);
  return step(
    `push manifest ${manifest.digest.slice(7, 12)} to ${name}:${tag}`,
    async (model, { registry, prefix }) => {
      const { status } = await registry.putManifest(prefix + name, tag ?? manifest.digest, manifest);
      const repository = model.of(name);
      const complete = repository.blobs.has(blob.digest);
      assertEquals(status, complete ? 201 : 404);
      if (!complete) return;
      repository.exists = true;
      repository.manifests.set(manifest.digest, manifest);
      if (tag !== undefined) repository.tags.set(tag, manifest.digest);
    },
  );
}

function deleteTag(name: string, tag: string): Step {
  return step(`delete ${name}:${tag}`, async (model, { registry, prefix }) => {
    const { status } = await registry.send("DELETE", `/v2/${prefix}${name}/manifests/${tag}`);
    assertEquals(status, model.of(name).tags.delete(tag) ? 202 : 404);
  });
}

function deleteManifest(name: string, manifest: Content): Step {
  return step(
    `delete manifest ${manifest.digest.slice(7, 12)} of ${name}`,
    async (model, { registry, prefix }) => {
      const { status } = await registry.send("DELETE", `/v2/${prefix}${name}/manifests/${manifest.digest}`);
      const repository = model.of(name);
      assertEquals(status, repository.manifests.delete(manifest.digest) ? 202 : 404);
      for (const [tag, digest] of repository.tags) {
        if (digest === manifest.digest) {
          repository.tags.delete(tag);
        }
      }
    },
  );
}

function deleteBlob(name: string, blob: Content): Step {
  return step(`delete blob ${blob.digest.slice(7, 12)} of ${name}`, async (model, { registry, prefix }) => {
    const { status } = await registry.send("DELETE", `/v2/${prefix}${name}/blobs/${blob.digest}`);
    const { blobs, manifests } = model.of(name);
    const referred = [...manifests.values()].some(({ bytes }) =>
      new TextDecoder().decode(bytes).includes(blob.digest)
    );
    const has = blobs.has(blob.digest);
    assertEquals(status, referred ? 405 : has ? 202 : 404);
    if (!referred) blobs.delete(blob.digest);
  });
}

/** Looks at everything there is, and compares it with the model. */
async function compare(model: Model, { registry, prefix }: Real): Promise<void> {
  for (const [name, repository] of model.repositories) {
    const tags = await registry.get(`/v2/${prefix}${name}/tags/list`);
    assertEquals(tags.status, repository.exists ? 200 : 404);
    if (repository.exists) assertEquals(tags.json().tags, [...repository.tags.keys()].sort());
    for (const [tag, digest] of repository.tags) {
      const { status, headers } = await registry.send("HEAD", `/v2/${prefix}${name}/manifests/${tag}`);
      assertEquals([tag, status, headers.get("Docker-Content-Digest")], [tag, 200, digest]);
    }
    for (const { digest, bytes } of BLOBS.flatMap((blob) => [0, 1].map((note) => manifestOf(blob, note)))) {
      const answer = await registry.get(`/v2/${prefix}${name}/manifests/${digest}`);
      assertEquals(answer.status, repository.manifests.has(digest) ? 200 : 404);
      if (answer.status === 200) assertEquals(answer.bytes, bytes);
    }
    for (const { digest } of BLOBS) {
      const { status } = await registry.send("HEAD", `/v2/${prefix}${name}/blobs/${digest}`);
      assertEquals(status, repository.blobs.has(digest) ? 200 : 404);
    }
  }
  const expected = [...model.repositories].filter(([, { exists }]) => exists).map(([name]) => prefix + name)
    .sort();
  const { repositories } = (await registry.get(`/v2/_catalog?last=${prefix.slice(0, -1)}`)).json();
  assertEquals(repositories.filter((name: string) => name.startsWith(prefix)), expected);
}

const name = fc.constantFrom("x", "x-y", "x/y");
const blob = fc.constantFrom(...BLOBS);
const tag = fc.constantFrom(...TAGS);
const note = fc.constantFrom(0, 1);

const STEPS = [
  fc.tuple(name, blob).map(([name, blob]) => pushBlob(name, blob)),
  fc.tuple(name, name, blob).map(([to, from, blob]) => mountBlob(to, from, blob)),
  fc.tuple(name, blob, note, fc.option(tag, { nil: undefined }))
    .map(([name, blob, note, tag]) => pushManifest(name, blob, { note, tag })),
  fc.tuple(name, tag).map(([name, tag]) => deleteTag(name, tag)),
  fc.tuple(name, blob, note).map(([name, blob, note]) => deleteManifest(name, manifestOf(blob, note))),
  fc.tuple(name, blob).map(([name, blob]) => deleteBlob(name, blob)),
];

Deno.test(`The registry is what ${RUNS} histories of pushes, mounts and deletions make of it`, async () => {
  await using server = await startRegistry();
  const registry = new RegistryClient(server.url);
  let histories = 0;
  const property = fc.asyncProperty(
    fc.commands(STEPS, { maxCommands: COMMANDS_MAX, size: "max" }),
    async (steps) => {
      const model = new Model();
      const real = { registry, prefix: `h${histories++}/` };
      await fc.asyncModelRun(() => ({ model, real }), steps);
      await compare(model, real);
    },
  );
  await fc.assert(property, { numRuns: RUNS, ...(SEED !== undefined && { seed: Number(SEED) }) });
});
