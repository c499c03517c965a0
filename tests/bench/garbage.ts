/**
 * How long collection takes beside a full walk: `deno task bench:garbage [--blobs 1000000] [--dead 1000] [--root DIR]`.
 * Dead blobs are spread over a few repositories; the rest of the store is what collection must not look at.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { openStore } from "../../plugins/storage/fs/fs.ts";
import { parseRepositoryName } from "../../server/oci/name.ts";
import { digestBytes } from "../../server/registry/hash.ts";
import { createRegistry, type Registry } from "../../server/registry/registry.ts";
import type { Task } from "../../server/registry/task.ts";
import { countBlobs, writeStore } from "./large_store.ts";

const DEAD_REPOSITORIES = 10;

const { values } = parseArgs({
  options: {
    blobs: { type: "string", default: "1000000" },
    dead: { type: "string", default: "1000" },
    root: { type: "string" },
  },
});
const dead = Number(values.dead);
const size = { repositories: Math.ceil(Number(values.blobs) / 1_000), manifestsEach: 100, blobsEach: 10 };
const task: Task = {
  signal: new AbortController().signal,
  cursor: undefined,
  report: () => {},
  line: () => Promise.resolve(),
};

const root = values.root ?? await Deno.makeTempDir({ prefix: "sreg-garbage-" });
if (!values.root) timed(`write ${countBlobs(size)} live blobs`, () => writeStore(root, size));
Deno.mkdirSync(`${root}/%temp`, { recursive: true });
const registry = await createRegistry(openStore(root, { folds: false }), { openUploadsMax: 1e6 });
await timedLater(`push ${dead} dead blobs`, () => pushDead(registry));
const collect = () => registry.garbage.collect({ graceMs: 0, dryRun: false }, task);
const collection = await timedLater("collect: find them", collect) +
  await timedLater("collect: remove them", collect);
console.log(`collection: ${collection} ms in all`);

async function pushDead({ uploads }: Registry): Promise<void> {
  for (let index = 0; index < dead; index++) {
    const name = parseRepositoryName(`team${index % DEAD_REPOSITORIES}/app${index % DEAD_REPOSITORIES}`);
    const bytes = new TextEncoder().encode(`dead ${index} ${crypto.randomUUID()}`);
    const body = new Blob([bytes]).stream() as ReadableStream<Uint8Array<ArrayBuffer>>;
    const id = await uploads.create(name);
    await uploads.finish(name, id, { digest: digestBytes("sha256", bytes), chunk: { body } });
  }
}

function timed(what: string, act: () => void): void {
  const startedAt = performance.now();
  act();
  tell(what, performance.now() - startedAt);
}

async function timedLater(what: string, act: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  const answer = await act();
  const ms = Math.round(performance.now() - startedAt);
  tell(what, ms, answer);
  return ms;
}

function tell(what: string, ms: number, answer?: unknown): void {
  const rss = Math.round(Deno.memoryUsage().rss / 2 ** 20);
  console.log(`${what}: ${Math.round(ms)} ms, ${rss} MiB`, answer ?? "");
}
