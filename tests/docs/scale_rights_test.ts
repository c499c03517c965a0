/** The rights that docs/scale.md asks for are those that the S3 plugin needs, by what it sends to a real store. */

import type { Bytes, Storage } from "../../plugins/contract/storage.ts";
import { Bucket } from "../../plugins/storage/s3/bucket.ts";
import { readSettings, type S3Options } from "../../plugins/storage/s3/settings.ts";
import { sweepAside } from "../../plugins/storage/s3/sweep.ts";
import { createTransport } from "../../plugins/storage/s3/transport.ts";
import { startPlugin } from "../../server/sandbox/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { hasProgram } from "../support/programs.ts";
import { ROOT } from "../support/registry.ts";
import { RoundRobin } from "../support/round_robin.ts";
import { type RunningS3, S3_PROGRAM, s3Toml, startS3 } from "../support/s3_server.ts";
import { loadTexts } from "./scale_files.ts";

const MIB = 2 ** 20;

/** Small enough that a copy of some MiB is made in parts. */
const COPY_OPTIONS = `multipart_copy_threshold = "6MiB"\nmultipart_copy_chunk_size = "5MiB"\n`;

/** The S3 action that a request needs; on a bucket or on an object. */
function actionOf({ method, target }: { readonly method: string; readonly target: string }): string {
  const { pathname, searchParams: query } = new URL(target, "http://store");
  const isObject = pathname.split("/").filter((segment) => segment !== "").length > 1;
  if (!isObject) {
    if (method === "GET" && query.has("uploads")) return "s3:ListBucketMultipartUploads";
    if (method === "GET" && query.has("list-type")) return "s3:ListBucket";
  } else if (query.has("uploadId") && method === "DELETE") return "s3:AbortMultipartUpload";
  else if (query.has("uploadId") && method === "GET") return "s3:ListMultipartUploadParts";
  else if (method === "PUT" || (method === "POST" && (query.has("uploadId") || query.has("uploads")))) {
    return "s3:PutObject";
  } else if (method === "DELETE") return "s3:DeleteObject";
  else if (method === "GET" || method === "HEAD") return "s3:GetObject";
  throw new Error(`Cannot tell the action of ${method} ${target}`);
}

/** The actions that the page's policy grants, in order. */
async function grantedActions(): Promise<string[]> {
  const page = await Deno.readTextFile(`${ROOT}docs/scale.md`);
  const [, text] = /^```json iam\n(.*?)^```$/ms.exec(page)!;
  const { Statement } = JSON.parse(text!) as {
    readonly Statement: readonly { readonly Action: readonly string[] }[];
  };
  return Statement.flatMap(({ Action }) => Action).sort();
}

function bytesOf(size: number): Bytes {
  return ReadableStream.from([new Uint8Array(size)]) as Bytes;
}

/** Does to a store all that the contract has. */
async function useAll(storage: Storage): Promise<void> {
  const { etag } = await storage.put("small/a", new Uint8Array(3), { ifAbsent: true });
  await storage.put("small/a", new Uint8Array(4), { ifMatch: etag });
  assertEquals((await storage.stat("small/a"))?.size, 4);
  assertEquals((await storage.get("small/a"))?.size, 4);
  await storage.append("growing/a", 0, bytesOf(12 * MIB));
  assertEquals((await storage.append("growing/a", 12 * MIB, bytesOf(MIB))).size, 13 * MIB);
  assert(await storage.move("growing/a", "large/a"));
  assert(await storage.copy!("large/a", "large/b"));
  const opened = await storage.open("large/b", { offset: 1, length: 5 });
  assertEquals((await new Response(opened!.body).bytes()).length, 5);
  await storage.append("growing/b", 0, bytesOf(12 * MIB));
  assert(await storage.delete("growing/b"));
  assertEquals(await storage.list("", { limit: 10 }), ["large/a", "large/b", "small/a"]);
  for (const key of ["large/a", "large/b", "small/a"]) await storage.delete(key);
}

/** Has what crashes leave behind looked for, by the plugin's own sweep. */
async function sweep(options: S3Options): Promise<void> {
  const bucket = new Bucket(createTransport(readSettings(options)), { name: options.bucket });
  await sweepAside(bucket, "registry/:aside/");
}

Deno.test({
  name: `docs/scale.md asks for the rights that the S3 plugin uses, no more and no less (${S3_PROGRAM})`,
  ignore: !hasProgram(S3_PROGRAM),
  // Connections that the sweep has used are kept for the next one.
  sanitizeResources: false,
  sanitizeOps: false,
  async fn() {
    await using server: RunningS3 = await startS3();
    await using proxy = new RoundRobin([Number(new URL(server.endpoint).port)]);
    const table = s3Toml({ ...server, endpoint: proxy.url }, "registry/");
    const { storage } = await loadTexts({ "sreg.toml": table + COPY_OPTIONS });
    const plugin = await startPlugin({ ...storage, permissions: { net: [new URL(proxy.url).host] } });
    try {
      await useAll(plugin.serve("storage"));
      await sweep(storage.options as unknown as S3Options);
    } finally {
      await plugin.close();
    }
    const needed = [...new Set(proxy.requests.map(actionOf))].sort();
    assertEquals(needed, await grantedActions());
  },
});
