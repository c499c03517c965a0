/** A registry over a store and a Redis that fail, with little patience, and a client that sees what comes of it. */

import { assert, assertEquals } from "../support/assert.ts";
import {
  CAN_CLUSTER,
  CLUSTER_PROGRAMS,
  type ClusterOptions,
  type RunningCluster,
  startCluster,
} from "../support/cluster.ts";
import { ROOT } from "../support/registry.ts";
import { askS3, type RunningS3 } from "../support/s3_server.ts";
import { Client, type Trouble } from "./client.ts";

/** How long a registry of these tests waits for its store: for an answer, and with all tries. */
export const PATIENCE = { requestMs: 1_000, budgetMs: 4_000 } as const;

const PAGE = Deno.readTextFileSync(`${ROOT}docs/reliability.md`);
const QUIET = `[log]\nlevel = "warn"\n`;
const LEFT_MS_MAX = 15_000;

/** A registry that fails in passing, and who sees it. */
export interface Scene extends AsyncDisposable {
  readonly cluster: RunningCluster;
  readonly client: Client;
}

/** What to start. */
export interface SceneOptions extends ClusterOptions {
  /** `retry_budget`. */
  readonly retryBudget?: string;
  /** `request_timeout`. */
  readonly requestTimeout?: string;
}

/** Starts replicas with proxies before all that they share, and a client of the first of them; default: one. */
export async function startScene({
  config = "",
  storage = "",
  retryBudget = `${PATIENCE.budgetMs}ms`,
  requestTimeout = `${PATIENCE.requestMs}ms`,
  ...options
}: SceneOptions = {}): Promise<Scene> {
  const cluster = await startCluster({
    replicas: 1,
    withFaults: true,
    ...options,
    config: QUIET + config,
    storage:
      `request_timeout = "${requestTimeout}"\nstall_timeout = "10s"\nretry_budget = "${retryBudget}"\n${storage}`,
  });
  const client = new Client(cluster.replica(0).url);
  const dispose = async () => {
    client[Symbol.dispose]();
    await cluster[Symbol.asyncDispose]();
  };
  return { cluster, client, [Symbol.asyncDispose]: dispose };
}

/** Takes a row of docs/reliability.md for a step, after which all that was acknowledged must be there. */
export type TakeRow = (row: string, fn: () => Promise<void>) => Promise<void>;

/** Registers a test of faults, whose steps are rows of docs/reliability.md. */
export function faultTest(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name: `${name} ${CLUSTER_PROGRAMS}`, ignore: !CAN_CLUSTER, fn });
}

/** The steps of a test over a scene. What one of them leaves behind when it fails is not in the next one's way. */
export function rowsOf(t: Deno.TestContext, { client, cluster }: Scene): TakeRow {
  const { ground: { s3 }, links: { store } } = cluster;
  return async (row, fn) => {
    assert(PAGE.includes(`\n| ${row} `), `docs/reliability.md has no row "${row}"`);
    await t.step(row, async () => {
      client.takeTroubles();
      try {
        await fn();
      } finally {
        store.clear();
        s3.resume();
      }
      await client.check();
    });
  };
}

/** The client was told to come again, each time within this time, and nothing else. */
export function assertToldToComeAgain(troubles: readonly Trouble[], withinMs: number): void {
  assert(troubles.length > 0, "nothing was in its way");
  for (const { request, status, retryAfter, tookMs } of troubles) {
    const seen = `${request}: ${status}, Retry-After ${retryAfter}, after ${Math.round(tookMs)} ms`;
    assert(status === 503 && Number(retryAfter) > 0 && tookMs < withinMs, seen);
  }
}

/**
 * Once uploads have expired nothing of them is left, and all that was acknowledged is there. `empty`: uploads in parts that
 * were begun and of which nobody was told, without a part.
 */
export async function assertNothingLeft({ cluster, client }: Scene, { empty = 0 } = {}): Promise<void> {
  cluster.links.store.clear();
  await cluster.restart(0, `${QUIET}[uploads]\nidle_timeout = "1s"\n`);
  client.turnTo(cluster.replica(0).url);
  const expected = Array.from({ length: empty }, () => "an upload without a part");
  const deadline = performance.now() + LEFT_MS_MAX;
  while (performance.now() < deadline && (await leftovers(cluster)).length > empty) {
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assertEquals(await leftovers(cluster), expected);
  await client.check();
}

/** What is left of uploads: in parts, and as objects. */
async function leftovers({ ground: { s3 }, folder }: RunningCluster): Promise<string[]> {
  const prefix = folder.slice(s3.bucketFolder.length + 1);
  const listed = await ask(s3, `/${s3.bucket}?uploads=`);
  const uploads = [...listed.matchAll(/<Key>([^<]*)<\/Key>.*?<UploadId>([^<]*)<\/UploadId>/gs)]
    .filter(([, key]) => key!.startsWith(prefix));
  const left = uploads.map(async ([, key, id]) => {
    const path = key!.split("/").map(encodeURIComponent).join("/");
    const parts = await ask(s3, `/${s3.bucket}/${path}?uploadId=${id}`);
    return parts.includes("<ETag>") ? `parts of ${key}` : "an upload without a part";
  });
  const objects = ["uploads", ":aside"].map((part) => Array.fromAsync(filesIn(`${folder}/${part}`)));
  return [...await Promise.all(left), ...(await Promise.all(objects)).flat()];
}

async function ask(s3: RunningS3, target: string): Promise<string> {
  const answer = await askS3(s3, { method: "GET", target });
  const text = await answer.text();
  assertEquals(answer.status, 200, text);
  return text;
}

async function* filesIn(folder: string): AsyncGenerator<string> {
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (isDirectory) yield* filesIn(`${folder}/${name}`);
      else yield `${folder}/${name}`;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
