/** Rates of one, two and three replicas over one S3 server and one Redis: `deno task bench:replicas [seconds]`. */

import { stringify } from "smol-toml";
import { imageOf, OCI_MANIFEST, randomContent } from "../support/client.ts";
import { startRedis } from "../support/redis_server.ts";
import { type RunningRegistry, startProcess } from "../support/registry.ts";
import { startS3 } from "../support/s3_server.ts";
import { s3Table } from "../support/s3_store.ts";

const SECONDS = Number(Deno.args[0] ?? 5);
const CLIENTS = 16;
const MIB = 1024 * 1024;
const NAME = "bench/app";

await using s3 = await startS3();
await using redis = await startRedis();
const config = `[log]\nlevel = "warn"\n${
  stringify({
    storage: { s3: s3Table(s3) },
    lock_store: { redis: { url: redis.url } },
    cache_store: { redis: { url: redis.url } },
  })
}`;

const replicas: RunningRegistry[] = [];
let turn = 0;
console.log(
  "| replicas | manifests by tag, 1/s | blobs of 1 MiB, MB/s | pushes of 1 MiB, 1/s | memory of one, MiB |",
);
console.log(
  "| -------: | --------------------: | -------------------: | -------------------: | -----------------: |",
);
for (let count = 1; count <= 3; count++) {
  replicas.push(await startProcess({ config }));
  const layer = await pushBlob(randomContent(MIB));
  const image = imageOf(await pushBlob(randomContent(300)), [layer]);
  await send(`/v2/${NAME}/manifests/v1`, {
    method: "PUT",
    body: image.bytes,
    headers: { "Content-Type": OCI_MANIFEST },
  });
  const manifests = await rate(() => send(`/v2/${NAME}/manifests/v1`));
  const blobs = await rate(() => send(`/v2/${NAME}/blobs/${layer.digest}`));
  const pushes = await rate(() => pushBlob(randomContent(MIB)));
  const cells = [count, manifests, blobs * MIB / 1e6, pushes, await residentMib()];
  console.log(`| ${cells.map((cell) => cell.toFixed(0)).join(" | ")} |`);
}
for (const replica of replicas) await replica.stop();

/** To the next replica. */
async function send(path: string, init: RequestInit = {}): Promise<Headers> {
  const { url } = replicas[turn++ % replicas.length]!;
  const answer = await fetch(new URL(path, url), init);
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`${init.method ?? "GET"} ${path} answered ${answer.status}`);
  return answer.headers;
}

async function pushBlob(content: ReturnType<typeof randomContent>) {
  const begun = await send(`/v2/${NAME}/blobs/uploads/`, { method: "POST" });
  const sent = await send(pathOf(begun), { method: "PATCH", body: content.bytes });
  await send(`${pathOf(sent)}?digest=${content.digest}`, { method: "PUT" });
  return content;
}

function pathOf(headers: Headers): string {
  return new URL(headers.get("Location")!, "http://replica").pathname;
}

/** How often a second it is done, by several at once. */
async function rate(act: () => Promise<unknown>): Promise<number> {
  const beganAt = performance.now();
  let done = 0;
  const work = async () => {
    for (; performance.now() - beganAt < SECONDS * 1_000; done++) await act();
  };
  await Promise.all(Array.from({ length: CLIENTS }, work));
  return done / (performance.now() - beganAt) * 1_000;
}

async function residentMib(): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${replicas[0]!.pid}/status`);
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]) / 1024;
}
