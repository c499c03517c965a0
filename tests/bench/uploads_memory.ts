/** Memory of many uploads at once over S3: `deno task bench:uploads [uploads] [MiB each]`. */

import { createHash } from "node:crypto";
import { stringify } from "smol-toml";
import { startProcess } from "../support/registry.ts";
import { startSink } from "./s3_sink.ts";

const MIB = 1024 * 1024;
const SAMPLE_MS = 250;
const [uploads = 64, mebibytes = 1024] = Deno.args.map(Number);
const BLOCK = crypto.getRandomValues(new Uint8Array(64 * 1024));

await using sink = startSink();
const table = { endpoint: sink.endpoint, bucket: "bench", access_key_id: "a", secret_key: "s" };
await using registry = await startProcess({
  config: `[log]\nlevel = "warn"\n${stringify({ storage: { s3: table } })}`,
});

const digest = createHash("sha256");
for (let block = 0; block < mebibytes * MIB / BLOCK.length; block++) digest.update(BLOCK);
const hex = digest.digest("hex");
const idleMib = await residentMib();
let peakMib = 0;
const sampler = setInterval(sample, SAMPLE_MS);
const beganAt = performance.now();
await Promise.all(Array.from({ length: uploads }, (_, index) => push(`bench/app${index}`)));
const seconds = (performance.now() - beganAt) / 1_000;
clearInterval(sampler);
console.log(
  `${uploads} uploads of ${mebibytes} MiB at once: ${peakMib.toFixed(0)} MiB at most, ${
    idleMib.toFixed(0)
  } MiB before, ` +
    `${(uploads * mebibytes / seconds).toFixed(0)} MiB/s`,
);

async function push(name: string): Promise<void> {
  const begun = await send(`${registry.url}/v2/${name}/blobs/uploads/`, { method: "POST" }, 202);
  const sent = await send(begun, { method: "PATCH", body: body() }, 202);
  await send(`${sent}?digest=sha256:${hex}`, { method: "PUT" }, 201);
}

async function send(url: string, init: RequestInit, expected: number): Promise<string> {
  const answer = await fetch(url, init);
  const text = await answer.text();
  if (answer.status !== expected) throw new Error(`${init.method} answered ${answer.status} ${text}`);
  return new URL(answer.headers.get("Location")!, registry.url).href;
}

function body(): ReadableStream<Uint8Array> {
  let left = mebibytes * MIB / BLOCK.length;
  return new ReadableStream({
    pull: (controller) => left-- > 0 ? controller.enqueue(BLOCK) : controller.close(),
  });
}

async function sample(): Promise<void> {
  peakMib = Math.max(peakMib, await residentMib());
}

async function residentMib(): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${registry.pid}/status`);
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]) / 1024;
}
