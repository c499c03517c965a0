/** Starts a real S3 server for tests: versitygw, on loopback, with its objects in a temporary folder. */

import { createHash, createHmac } from "node:crypto";
import { pauseProcess, resumeProcess } from "./paused_process.ts";

/** The server's program; see `hasProgram`. */
export const S3_PROGRAM = "versitygw";

/** What to start. */
export interface S3Options {
  /** Where it keeps its buckets; default: a new temporary folder that `stop` removes. */
  readonly folder?: string;
  /** The bucket that is made; default: `sreg`. */
  readonly bucket?: string;
}

/** An S3 server that runs, with an empty bucket. */
export interface RunningS3 extends AsyncDisposable {
  /** Its base, without a slash at the end: `http://127.0.0.1:41234`. Buckets are in the path. */
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly bucket: string;
  readonly region: string;
  readonly pid: number;
  /** The bucket's folder: each object is a file in it, under its key. */
  readonly bucketFolder: string;
  /** What it has said so far. */
  log(): string;
  /** Stands still: it takes connections and answers nothing. */
  pause(): Promise<void>;
  /** Goes on. */
  resume(): void;
  /** SIGKILL, and its exit; then removes what was made for it. */
  stop(): Promise<void>;
}

const ACCESS_KEY = "test-access-key";
const SECRET_KEY = "test-secret-key";
const REGION = "us-east-1";
const START_MS_MAX = 20_000;
const POLL_MS = 20;

/** Starts the server on a free port, waits until it answers, and makes the bucket. */
export async function startS3({ folder, bucket = "sreg" }: S3Options = {}): Promise<RunningS3> {
  const scratch = await Deno.makeTempDir({ prefix: "sreg-s3-" });
  const root = folder ?? `${scratch}/buckets`;
  const sidecar = `${scratch}/attributes`;
  await Deno.mkdir(root, { recursive: true });
  await Deno.mkdir(sidecar);
  try {
    return await launch({ scratch, root, bucket });
  } catch (error) {
    if (!(error instanceof EarlyEnd && error.message.includes("xattrs are not supported"))) throw error;
    return await launch({ scratch, root, bucket, sidecar });
  }
}

interface Places {
  readonly scratch: string;
  readonly root: string;
  readonly bucket: string;
  /** Where ETags and the like are kept, if the disk has no extended attributes. */
  readonly sidecar?: string;
}

class EarlyEnd extends Error {
  override readonly name = "EarlyEnd";
}

async function launch({ scratch, root, bucket, sidecar }: Places): Promise<RunningS3> {
  const address = `127.0.0.1:${freePort()}`;
  const metadata = sidecar === undefined ? [] : ["--sidecar", sidecar];
  const child = new Deno.Command(S3_PROGRAM, {
    args: ["--quiet", "--keep-alive", "--port", address, "posix", ...metadata, root],
    env: { ROOT_ACCESS_KEY: ACCESS_KEY, ROOT_SECRET_KEY: SECRET_KEY },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const said: string[] = [];
  const ended = Promise.all([child.status, collect(child.stdout, said), collect(child.stderr, said)]);
  const stop = async () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await ended;
    await Deno.remove(scratch, { recursive: true }).catch(() => {});
  };
  const server: RunningS3 = {
    endpoint: `http://${address}`,
    accessKey: ACCESS_KEY,
    secretKey: SECRET_KEY,
    bucket,
    region: REGION,
    pid: child.pid,
    bucketFolder: `${root}/${bucket}`,
    log: () => said.join(""),
    pause: () => pauseProcess(child.pid),
    resume: () => resumeProcess(child.pid),
    stop,
    [Symbol.asyncDispose]: stop,
  };
  let isUp = false;
  const early = ended.then(([{ code }]) => {
    if (!isUp) throw new EarlyEnd(`${S3_PROGRAM} ended with ${code}:\n${server.log()}`);
  });
  await Promise.race([makeBucket(server), early]);
  isUp = true;
  return server;
}

/** The `[storage.s3]` table by which sreg uses the server. `endpoint`: what stands in front of it. */
export function s3Toml(
  { endpoint, accessKey, secretKey, bucket, region }: Pick<RunningS3, "bucket" | keyof S3Access>,
  keyPrefix = "",
): string {
  return `[storage.s3]
endpoint = "${endpoint}"
access_key_id = "${accessKey}"
secret_key = "${secretKey}"
bucket = "${bucket}"
region = "${region}"
${keyPrefix === "" ? "" : `key_prefix = "${keyPrefix}"\n`}`;
}

/** Whom to ask, and as whom. */
export type S3Access = Pick<RunningS3, "endpoint" | "accessKey" | "secretKey" | "region">;

/**
 * Sends a request of its owner to the server, signed with its body (AWS Signature Version 4). `target`: path and query.
 */
export function askS3(
  access: S3Access,
  request: { readonly method: string; readonly target: string; readonly body?: Uint8Array<ArrayBuffer> },
): Promise<Response> {
  const { method, target, body } = request;
  const payload = createHash("sha256").update(body ?? "").digest("hex");
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  return fetch(access.endpoint + target, {
    method,
    headers: {
      "x-amz-content-sha256": payload,
      "x-amz-date": time,
      authorization: authorize(access, { method, target, payload, time }),
    },
    ...(body !== undefined && { body }),
  });
}

function authorize(
  { endpoint, accessKey, secretKey, region }: S3Access,
  { method, target, payload, time }: Readonly<Record<"method" | "target" | "payload" | "time", string>>,
): string {
  const scope = `${time.slice(0, 8)}/${region}/s3/aws4_request`;
  const names = "host;x-amz-content-sha256;x-amz-date";
  const { host, pathname, searchParams } = new URL(target, endpoint);
  const query = [...searchParams].map((pair) => pair.map(encodeURIComponent).join("=")).sort().join("&");
  const fields = `host:${host}\nx-amz-content-sha256:${payload}\nx-amz-date:${time}\n`;
  const request = createHash("sha256").update([method, pathname, query, fields, names, payload].join("\n"));
  const text = ["AWS4-HMAC-SHA256", time, scope, request.digest("hex")].join("\n");
  const key = scope.split("/").reduce<string | Uint8Array>(hmac, `AWS4${secretKey}`);
  const signature = createHmac("sha256", key).update(text).digest("hex");
  return `AWS4-HMAC-SHA256 Credential=${accessKey}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
}

function hmac(key: string | Uint8Array, text: string): Uint8Array {
  return createHmac("sha256", key).update(text).digest();
}

/** Asks for the bucket until the server is there to make it. */
async function makeBucket(server: RunningS3): Promise<void> {
  const deadline = performance.now() + START_MS_MAX;
  for (;;) {
    try {
      const answer = await askS3(server, { method: "PUT", target: `/${server.bucket}` });
      const text = await answer.text();
      if (answer.ok || answer.status === 409) return;
      throw new Error(`Cannot make the bucket: ${answer.status} ${text}`);
    } catch (error) {
      if (!(error instanceof TypeError) || performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

/** A port of loopback that nobody listens on. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

async function collect(stream: ReadableStream<Uint8Array>, said: string[]): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) said.push(decoder.decode(chunk, { stream: true }));
}
