/**
 * Registries over S3: all over one server, each with a bucket of its own.
 *
 * @module
 */

import { startRegistry } from "../support/registry.ts";
import { askS3, type RunningS3, s3Toml, startS3 } from "../support/s3_server.ts";
import { dirname } from "../support/paths.ts";
import type { Contender, Started } from "./contest.ts";
import { PEER_PROGRAM, startPeerOver } from "./peer.ts";

/** Starts an S3 server, and answers the contenders over it; the server ends with what it is put on. */
export async function contendersOverS3(
  stack: AsyncDisposableStack,
): Promise<readonly [Contender, Contender]> {
  const server = stack.use(await startS3());
  return [
    { name: "sreg", start: () => startOver(server, startSregOver) },
    {
      name: PEER_PROGRAM,
      start: (folder) => startOver(server, (bucket) => startPeerOver(s3Driver(bucket), folder)),
    },
  ];
}

/** A server with one of its buckets. */
type Bucket = Omit<RunningS3, keyof AsyncDisposable>;

/** Starts a registry on a new bucket, which ends with it. */
async function startOver(server: RunningS3, start: (bucket: Bucket) => Promise<Started>): Promise<Started> {
  const name = `bench-${crypto.randomUUID()}`;
  const made = await askS3(server, { method: "PUT", target: `/${name}` });
  if (!made.ok) throw new Error(`Cannot make the bucket ${name}: ${made.status} ${await made.text()}`);
  await made.body?.cancel();
  const bucketFolder = `${dirname(server.bucketFolder)}/${name}`;
  const started = await start({ ...server, bucket: name, bucketFolder });
  return {
    ...started,
    [Symbol.asyncDispose]: async () => {
      await started[Symbol.asyncDispose]();
      await Deno.remove(bucketFolder, { recursive: true });
    },
  };
}

async function startSregOver(bucket: Bucket): Promise<Started> {
  const registry = await startRegistry({ config: s3Toml(bucket) });
  return {
    url: registry.url,
    pid: registry.pid,
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

/** The peer's own words for the bucket. It sends nobody to the store, as sreg does by default. */
function s3Driver({ endpoint, region, accessKey, secretKey, bucket }: Bucket): string {
  return `  redirect: { disable: true }
  s3:
    regionendpoint: ${endpoint}
    region: ${region}
    bucket: ${bucket}
    accesskey: ${accessKey}
    secretkey: ${secretKey}
    secure: false
    v4auth: true
`;
}
