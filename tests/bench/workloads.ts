/**
 * What is measured: scenes, each with what must be in the registry before and the rows that are measured then.
 *
 * @module
 */

import { statfsSync } from "node:fs";
import { Connection, type Target } from "./client.ts";
import { createSource } from "./content.ts";
import type { Run } from "./measure.ts";
import { always, eachPage, everyPage, isServed, read } from "./reads.ts";
import {
  configMount,
  createRepository,
  imageManifest,
  manifestPut,
  pushBlob,
  sendAll,
  type UploadForm,
} from "./seed.ts";

/** How much is put into the registry. */
export interface Sizes {
  readonly tags: number;
  readonly repositories: number;
  readonly referrers: number;
  readonly blobBytesMax: number;
  readonly pushBytesMax: number;
  /** Of each upload of the memory scene. */
  readonly memoryBytes: number;
}

/** One row of the result. */
export interface Row {
  /** The name of its workload. */
  readonly workload: string;
  readonly connections: number;
  /** At most so many requests a measurement: those that fill the disk are bounded. */
  readonly requestsMax?: number;
}

/** Rows that are measured on the same content. */
export interface Scene {
  readonly name: string;
  readonly rows: readonly Row[];
  /** Measured once, on one server after the other, and only when asked for. */
  readonly alone: boolean;
  /** Throws where `folder` cannot hold what the scene writes. */
  readonly check?: (folder: string) => void;
  /** Fills `target`. Answers, for each workload that `target` supports, what to run. */
  seed(target: Target): Promise<Readonly<Record<string, Run>>>;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const PUSHED_BYTES_MAX = 256 * MIB;
const MEMORY_UPLOADS = 64;
const run = crypto.randomUUID().slice(0, 8);

/** The repository of the manifests that are read. */
export const MANIFESTS_REPOSITORY = `bench-${run}/manifests`;

/** All scenes. */
export function createScenes(sizes: Sizes): Scene[] {
  return [
    manifests(),
    blobs([4 * KIB, MIB, 100 * MIB, 1024 * MIB].filter((bytes) => bytes <= sizes.blobBytesMax)),
    ...[MIB, 10 * MIB, 100 * MIB].filter((bytes) => bytes <= sizes.pushBytesMax).map(pushes),
    manifestPushes(),
    tags(sizes.tags),
    catalog(sizes.repositories),
    referrers(sizes.referrers),
    memory(sizes.memoryBytes),
  ];
}

function manifests(): Scene {
  const workloads = ["HEAD by tag", "HEAD by digest", "GET by tag", "GET by digest"];
  return {
    name: "manifests",
    alone: false,
    rows: workloads.flatMap((workload) => rows(`manifest ${workload}`, [1, 10, 64])),
    async seed(target) {
      const repository = MANIFESTS_REPOSITORY;
      const content = imageManifest("x".repeat(1000));
      await createRepository(target, repository);
      await sendAll(target, 1, () => [manifestPut(target, { repository, reference: "latest", content })]);
      const at = (method: string, reference: string) =>
        always(read(target, `${method} /v2/${repository}/manifests/${reference}`), content.bytes);
      return {
        "manifest HEAD by tag": at("HEAD", "latest"),
        "manifest HEAD by digest": at("HEAD", content.digest),
        "manifest GET by tag": at("GET", "latest"),
        "manifest GET by digest": at("GET", content.digest),
      };
    },
  };
}

function blobs(allBytes: readonly number[]): Scene {
  return {
    name: "blobs",
    alone: false,
    rows: allBytes.flatMap((bytes) => rows(`blob GET ${formatBytes(bytes)}`, [1, 8])),
    async seed(target) {
      const repository = `bench-${run}/blobs`;
      const contents = allBytes.map((bytes) => createSource(bytes)());
      using connection = await Connection.open(target);
      for (const content of contents) {
        await pushBlob(target, connection, { repository, content, form: "streamed" });
      }
      return Object.fromEntries(contents.map(({ bytes, digest }) => [
        `blob GET ${formatBytes(bytes)}`,
        always(read(target, `GET /v2/${repository}/blobs/${digest}`), bytes),
      ]));
    },
  };
}

function pushes(bytes: number): Scene {
  const forms: UploadForm[] = ["monolithic", "streamed"];
  const kinds = forms.flatMap((form) =>
    ["new", "repeated"].map((age) => ({ form, age, name: `push ${formatBytes(bytes)} ${form} ${age}` }))
  );
  return {
    name: "pushes",
    alone: false,
    rows: kinds.flatMap(({ name, age }) => pushRows(name, bytes, age === "new" ? [1, 8] : [1])),
    seed(target) {
      const source = createSource(bytes);
      const same = source();
      const repository = `bench-${run}/pushes`;
      return Promise.resolve(Object.fromEntries(kinds.map(({ name, form, age }): [string, Run] => {
        const next = age === "new" ? source : () => same;
        return [name, (connection) => pushBlob(target, connection, { repository, content: next(), form })];
      })));
    },
  };
}

/** Bounded, so that a round does not fill the disk, but never below one push on each connection. */
function pushRows(name: string, bytes: number, connections: readonly number[]): Row[] {
  return connections.flatMap((count) =>
    rows(name, [count], Math.max(count, Math.floor(PUSHED_BYTES_MAX / bytes)))
  );
}

function manifestPushes(): Scene {
  return {
    name: "manifest pushes",
    alone: false,
    rows: rows("manifest PUT, new tag", [1, 10, 64], 20_000),
    async seed(target) {
      const repository = `bench-${run}/manifest-pushes`;
      await createRepository(target, repository);
      let next = 0;
      return {
        "manifest PUT, new tag": async (connection) => {
          const content = imageManifest(`${next}`);
          const put = manifestPut(target, { repository, reference: `tag-${next++}`, content });
          await connection.exchange(put);
          return content.bytes;
        },
      };
    },
  };
}

function tags(count: number): Scene {
  const subject = `tags of ${count.toLocaleString("en")}`;
  return {
    name: "tags",
    alone: false,
    rows: listingRows(subject),
    async seed(target) {
      const repository = `bench-${run}/tags`;
      const content = imageManifest("tags");
      await createRepository(target, repository);
      await sendAll(target, count, (index) => [
        manifestPut(target, { repository, reference: `v${index}`, content }),
      ]);
      return await listings(target, subject, `/v2/${repository}/tags/list`);
    },
  };
}

function catalog(count: number): Scene {
  const subject = `catalog of ${count.toLocaleString("en")}`;
  return {
    name: "catalog",
    alone: false,
    rows: listingRows(subject),
    async seed(target) {
      const content = imageManifest("catalog");
      const first = `bench-${run}/first`;
      await createRepository(target, first);
      await sendAll(target, count - 1, (index) => {
        const repository = `bench-${run}/catalog-${index % 100}/r${index}`;
        return [
          configMount(target, first, repository),
          manifestPut(target, { repository, reference: "latest", content }),
        ];
      });
      return await listings(target, subject, "/v2/_catalog");
    },
  };
}

function referrers(count: number): Scene {
  const subject = `referrers of ${count.toLocaleString("en")}`;
  return {
    name: "referrers",
    alone: false,
    rows: [...rows(`${subject}, first page`, [1, 10]), ...rows(`${subject}, all pages`, [1])],
    async seed(target) {
      const repository = `bench-${run}/referrers`;
      const image = imageManifest("subject");
      await createRepository(target, repository);
      await sendAll(target, 1, () => [
        manifestPut(target, { repository, reference: image.digest, content: image }),
      ]);
      const path = `/v2/${repository}/referrers/${image.digest}`;
      if (!await isServed(target, path)) return {};
      await sendAll(target, count, (index) => {
        const content = imageManifest(`referrer ${index}`, image);
        return [manifestPut(target, { repository, reference: content.digest, content })];
      });
      return {
        [`${subject}, first page`]: always(read(target, `GET ${path}`)),
        [`${subject}, all pages`]: everyPage(target, path),
      };
    },
  };
}

function memory(bytes: number): Scene {
  const workload = `${MEMORY_UPLOADS} uploads of ${formatBytes(bytes)} at once`;
  return {
    name: "memory",
    alone: true,
    rows: rows(workload, [MEMORY_UPLOADS], MEMORY_UPLOADS),
    check(folder) {
      const { bavail, bsize } = statfsSync(folder);
      const neededBytes = MEMORY_UPLOADS * bytes * 1.05;
      if (bavail * bsize < neededBytes) {
        throw new Error(
          `Cannot measure the memory scene: it needs ${neededBytes} bytes of disk at ${folder}`,
        );
      }
    },
    seed(target) {
      const next = createSource(bytes);
      const repository = `bench-${run}/memory`;
      return Promise.resolve({
        [workload]: (connection) =>
          pushBlob(target, connection, { repository, content: next(), form: "streamed" }),
      });
    },
  };
}

function rows(workload: string, connections: readonly number[], requestsMax?: number): Row[] {
  return connections.map((count) => ({
    workload,
    connections: count,
    ...(requestsMax !== undefined && { requestsMax }),
  }));
}

function listingRows(subject: string): Row[] {
  return [
    ...rows(`${subject}, a page of 100`, [1, 10]),
    ...rows(`${subject}, a page of 1000`, [1, 10]),
    ...rows(`${subject}, all in pages of 1000`, [1]),
  ];
}

async function listings(target: Target, subject: string, path: string): Promise<Record<string, Run>> {
  return {
    [`${subject}, a page of 100`]: await eachPage(target, `${path}?n=100`),
    [`${subject}, a page of 1000`]: await eachPage(target, `${path}?n=1000`),
    [`${subject}, all in pages of 1000`]: everyPage(target, `${path}?n=1000`),
  };
}

function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  const power = Math.floor(Math.log2(bytes) / 10);
  return `${bytes / 1024 ** power} ${units[power]}`;
}
