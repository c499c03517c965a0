/** A registry in memory whose contents can grow old at once, and runs of retention over it by real rules. */

import { type Storage, STORAGE_VERBS } from "../../plugins/contract/storage.ts";
import { create as createPolicy } from "../../plugins/policy/cel/cel.ts";
import { create as createStorage } from "../../plugins/storage/memory/memory.ts";
import type { Digest } from "../../server/oci/digest.ts";
import { OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST } from "../../server/oci/media_type.ts";
import { parseRepositoryName, type RepositoryName } from "../../server/oci/name.ts";
import { parseTag, type Tag } from "../../server/oci/reference.ts";
import { digestBytes } from "../../server/registry/hash.ts";
import { createRegistry, type Registry } from "../../server/registry/registry.ts";
import {
  type Keeper,
  type RetentionLine,
  type RetentionReport,
  runRetention,
} from "../../server/registry/retention.ts";
import type { RepositoryRules } from "../../server/registry/tags.ts";
import type { Task } from "../../server/registry/task.ts";

export const HOUR_MS = 60 * 60 * 1000;
export const DAY_MS = 24 * HOUR_MS;
export const APP = parseRepositoryName("team/app");

/** What a run is told. */
export interface RunOptions {
  /** Rules of CEL; they are not asked where there are none. */
  readonly rules?: readonly string[];
  /** Others to ask. */
  readonly keepers?: readonly Keeper[];
  readonly untaggedAfterMs?: number;
  readonly minAgeMs?: number;
  readonly dryRun?: boolean;
  readonly repository?: RepositoryName;
  readonly task?: Partial<Task>;
}

/** What a run came to. */
export interface Run {
  readonly report: RetentionReport;
  readonly lines: readonly RetentionLine[];
}

/** A registry, and what there is to do with it. */
export class Scene {
  readonly storage: Storage;
  readonly registry: Registry;
  readonly #clock: Clock;

  private constructor(storage: Storage, registry: Registry, clock: Clock) {
    this.storage = storage;
    this.registry = registry;
    this.#clock = clock;
  }

  static async create(rules?: RepositoryRules): Promise<Scene> {
    const clock = { keys: new Map<string, number>() };
    const storage = aging(await createStorage({}), clock);
    const registry = await createRegistry(storage, { openUploadsMax: 100, ...(rules && { rules }) });
    return new Scene(storage, registry, clock);
  }

  /** All that is there becomes so much older. */
  async age(ms: number, prefix = ""): Promise<void> {
    const { keys } = this.#clock;
    const found = await this.storage.list(prefix, { limit: 10_000 });
    for (const key of found) keys.set(key, (keys.get(key) ?? 0) + ms);
  }

  /** Nobody knows any more when the tag was pushed. */
  forgetPush(tag: string): void {
    this.#clock.keys.set(`repositories/${APP}/_tags/${tag}`, Infinity);
  }

  /** Pushes an image whose config is `text`, under tags, or without any. */
  async image(text: string, tags: string | readonly string[] = [], subject?: Digest): Promise<Digest> {
    return await pushImage(this.registry, { text, tags: [tags].flat(), ...(subject && { subject }) });
  }

  /** Pushes an index of manifests. */
  async index(children: readonly Digest[], tags: string | readonly string[] = []): Promise<Digest> {
    return await pushIndex(this.registry, children, [tags].flat());
  }

  /** Runs retention. */
  async run(options: RunOptions = {}): Promise<Run> {
    return await runOver(this.registry, options);
  }

  /** The tags that are there. */
  async tags(name = APP): Promise<readonly string[]> {
    return (await this.registry.tags.list(name, { limit: 10_000 })).entries;
  }

  /** Whether the manifests are there. */
  has(...digests: readonly Digest[]): Promise<boolean[]> {
    const { manifests } = this.registry;
    return Promise.all(
      digests.map(async (digest) => await manifests.get(APP, { digest }) !== undefined),
    );
  }
}

/** A tag. */
export function tagOf(text: string): Tag {
  return parseTag(text, "MANIFEST_INVALID");
}

/** Pushes an image with a config of its own. */
export async function pushImage(
  { uploads, manifests }: Registry,
  { text, tags = [], subject, name = APP }: {
    readonly text: string;
    readonly tags?: readonly string[];
    readonly subject?: Digest;
    readonly name?: RepositoryName;
  },
): Promise<Digest> {
  const bytes = new TextEncoder().encode(text);
  const config = digestBytes("sha256", bytes);
  const id = await uploads.create(name);
  const body = new Blob([bytes]).stream() as ReadableStream<Uint8Array<ArrayBuffer>>;
  await uploads.finish(name, id, { digest: config, chunk: { body } });
  const manifest = encode({
    schemaVersion: 2,
    mediaType: OCI_IMAGE_MANIFEST,
    config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: config, size: bytes.length },
    layers: [],
    ...(subject && { subject: { mediaType: OCI_IMAGE_MANIFEST, digest: subject, size: 1 } }),
  });
  const push = { bytes: manifest, tags: tags.map(tagOf), contentType: OCI_IMAGE_MANIFEST };
  return (await manifests.put(name, push)).digest;
}

/** Pushes an index of manifests that are there. */
export async function pushIndex(
  { manifests }: Registry,
  children: readonly Digest[],
  tags: readonly string[] = [],
): Promise<Digest> {
  const bytes = encode({
    schemaVersion: 2,
    mediaType: OCI_IMAGE_INDEX,
    manifests: children.map((digest) => ({ mediaType: OCI_IMAGE_MANIFEST, digest, size: 1 })),
  });
  const push = { bytes, tags: tags.map(tagOf), contentType: OCI_IMAGE_INDEX };
  return (await manifests.put(APP, push)).digest;
}

/** Runs retention over a registry. */
export async function runOver(registry: Registry, options: RunOptions): Promise<Run> {
  const { rules, keepers = [], untaggedAfterMs, minAgeMs = HOUR_MS, dryRun = false, repository } = options;
  const lines: RetentionLine[] = [];
  const task: Task = {
    signal: new AbortController().signal,
    cursor: undefined,
    report: () => {},
    line: (line) => Promise.resolve(void lines.push(line as RetentionLine)),
    ...options.task,
  };
  const terms = { keepers: [...await rulesOf(rules), ...keepers], minAgeMs, untaggedAfterMs };
  const report = await runRetention(registry, { termsOf: () => terms, dryRun, repository }, task);
  return { report, lines };
}

async function rulesOf(rules: readonly string[] | undefined): Promise<Keeper[]> {
  if (!rules) return [];
  const path = ["global", "retention_policy"];
  const policy = await createPolicy({ retention: [{ path, rules }] });
  return [{ name: "cel", retain: (question) => policy.retain!(question) }];
}

function encode(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** A copy of a store whose objects are all so old; what is written to it is new. */
export async function agedCopy(storage: Storage, ageMs: number): Promise<Storage> {
  const keys = await storage.list("", { limit: 10_000 });
  const copy = await createStorage({});
  for (const key of keys) await copy.put(key, (await storage.get(key))!.bytes);
  return aging(copy, { keys: new Map(keys.map((key) => [key, ageMs])) });
}

/** How much older objects are than the store believes, by key. */
interface Clock {
  readonly keys: Map<string, number>;
}

/** A store whose objects are as old as the clock says; what is written is new. */
function aging(storage: Storage, { keys }: Clock): Storage {
  const older = <T extends { readonly modifiedAtMs: number }>(key: string, found: T | undefined) => {
    const ageMs = keys.get(key) ?? 0;
    return found && { ...found, modifiedAtMs: ageMs === Infinity ? 0 : found.modifiedAtMs - ageMs };
  };
  const methods = STORAGE_VERBS.map((method) =>
    [method, (storage[method] as (...args: never[]) => unknown).bind(storage)] as const
  );
  return {
    ...Object.fromEntries(methods) as unknown as Storage,
    stat: async (key) => older(key, await storage.stat(key)),
    get: async (key) => older(key, await storage.get(key)),
    async put(key, bytes, condition) {
      const put = await storage.put(key, bytes, condition);
      keys.delete(key);
      return put;
    },
  };
}
