/** A store with a little of everything in it, and scrubs of it. */

import type { Storage } from "../../plugins/contract/storage.ts";
import { create as createFs } from "../../plugins/storage/fs/fs.ts";
import { create as createMemory } from "../../plugins/storage/memory/memory.ts";
import type { Digest } from "../../server/oci/digest.ts";
import { OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST } from "../../server/oci/media_type.ts";
import type { RepositoryName } from "../../server/oci/name.ts";
import type { Tag } from "../../server/oci/reference.ts";
import { createRegistry, type Registry } from "../../server/registry/registry.ts";
import type { Finding, ScrubReport } from "../../server/registry/scrub/findings.ts";
import { scrub } from "../../server/registry/scrub/scrub.ts";
import type { ScrubOptions } from "../../server/registry/scrub/scrub_run.ts";
import type { Progress, Task } from "../../server/registry/task.ts";
import { digestOf } from "../support/client.ts";

export const APP = "team/app" as RepositoryName;
export const OTHER = "team/app/other" as RepositoryName;

/** Of a task that nobody watches. */
export const SILENT: Task = {
  signal: new AbortController().signal,
  cursor: undefined,
  report: () => {},
  line: () => Promise.resolve(),
};

/** Each kind of store that the tests run on: how to make an empty one, and what to do after. */
export const STORES: Readonly<
  Record<string, () => Promise<{ storage: Storage; remove: () => Promise<void> }>>
> = {
  memory: async () => ({ storage: await createMemory({}), remove: () => Promise.resolve() }),
  fs: async () => {
    const root_dir = await Deno.makeTempDir({ prefix: "sreg-scrub-" });
    return {
      storage: await createFs({ root_dir }),
      remove: () => Deno.remove(root_dir, { recursive: true }),
    };
  },
};

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

export function open(storage: Storage): Promise<Registry> {
  return createRegistry(storage, { openUploadsMax: 1_000 });
}

export async function upload(registry: Registry, name: RepositoryName, text: string): Promise<Digest> {
  const digest = digestOf(bytesOf(text)) as Digest;
  const id = await registry.uploads.create(name);
  const body = new Blob([text]).stream() as ReadableStream<Uint8Array<ArrayBuffer>>;
  await registry.uploads.finish(name, id, { digest, chunk: { body } });
  return digest;
}

interface Named {
  readonly mediaType?: string;
  readonly digest: Digest;
  readonly size: number;
}

function descriptor({ mediaType = "application/octet-stream", digest, size }: Named) {
  return { mediaType, digest, size };
}

/** Pushes a manifest. */
export async function push(
  registry: Registry,
  name: RepositoryName,
  { json, tags = [] }: { readonly json: object; readonly tags?: readonly string[] },
): Promise<Named> {
  const mediaType = "manifests" in json ? OCI_IMAGE_INDEX : OCI_IMAGE_MANIFEST;
  const bytes = bytesOf(JSON.stringify({ schemaVersion: 2, ...json }));
  const { digest } = await registry.manifests.put(name, {
    bytes,
    tags: tags as readonly Tag[],
    contentType: mediaType,
  });
  return { mediaType, digest, size: bytes.length };
}

/** An image of these texts, the first of which is its config. */
export async function pushImage(
  registry: Registry,
  name: RepositoryName,
  { texts, tags = [], ...more }: {
    readonly texts: readonly string[];
    readonly tags?: readonly string[];
    readonly subject?: Named;
  },
): Promise<Named> {
  const named: Named[] = [];
  for (const text of texts) {
    named.push({ digest: await upload(registry, name, text), size: bytesOf(text).length });
  }
  const [config, ...layers] = named.map(descriptor);
  return await push(registry, name, { json: { config, layers, ...more }, tags });
}

/** A store in which all is well. */
export interface World {
  readonly storage: Storage;
  readonly registry: Registry;
  readonly config: Digest;
  readonly layer: Digest;
  /** Tagged `latest` and `v1`. */
  readonly image: Digest;
  /** Tagged `multi`; lists the image. */
  readonly index: Digest;
  /** Its subject is the image. */
  readonly signature: Digest;
}

export const CONFIG_TEXT = "the config";
export const LAYER_TEXT = "the layer";

/** Fills an empty store, and has its due lists worked off. */
export async function createWorld(storage: Storage): Promise<World> {
  const registry = await open(storage);
  const texts = [CONFIG_TEXT, LAYER_TEXT];
  const image = await pushImage(registry, APP, { texts, tags: ["latest", "v1"] });
  const index = await push(registry, APP, { json: { manifests: [descriptor(image)] }, tags: ["multi"] });
  const signature = await pushImage(registry, APP, { texts: ["a signature"], subject: image });
  await pushImage(registry, OTHER, { texts, tags: ["latest"] });
  await registry.garbage.collect({ graceMs: 0, dryRun: false }, SILENT);
  return {
    storage,
    registry,
    config: digestOf(bytesOf(CONFIG_TEXT)) as Digest,
    layer: digestOf(bytesOf(LAYER_TEXT)) as Digest,
    image: image.digest,
    index: index.digest,
    signature: signature.digest,
  };
}

/** What a scrub found. */
export interface Scrubbed {
  readonly report: ScrubReport;
  readonly findings: readonly Finding[];
  readonly progress: readonly Progress[];
}

/** Scrubs with no time of grace, unless `options` say otherwise. */
export async function scrubStore(
  storage: Storage,
  options: Partial<ScrubOptions> = {},
  task: Partial<Task> = {},
): Promise<Scrubbed> {
  const findings: Finding[] = [];
  const progress: Progress[] = [];
  const report = await scrub(storage, {
    options: { graceMs: 0, uploadIdleMs: 0, repair: false, rehash: false, ...options },
    task: {
      ...SILENT,
      report: (step) => void progress.push(step),
      line: (value) => Promise.resolve(void findings.push(value as Finding)),
      ...task,
    },
    others: ["access/", "audit/", "jobs/"],
  });
  return { report, findings, progress };
}

/** All keys of a small store. */
export async function keysOf(storage: Storage): Promise<string[]> {
  return await storage.list("", { limit: 10_000 });
}

export function hexOf(digest: Digest): string {
  return digest.slice("sha256:".length);
}

export function blobKeyOf(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest).slice(0, 2)}/${hexOf(digest)}`;
}

export function linkKeyOf(name: string, digest: Digest): string {
  return `links/sha256/${hexOf(digest).slice(0, 2)}/${hexOf(digest)}/${name}!`;
}

export function manifestKeyOf(name: string, digest: Digest): string {
  return `repositories/${name}/_manifests/sha256/${hexOf(digest)}`;
}
