/** An S3 server that keeps what is small, and of parts only how long they are: what sreg makes of uploads is measured, not a disk. */

/** A server that runs. */
export interface S3Sink extends AsyncDisposable {
  readonly endpoint: string;
}

interface Kept {
  readonly size: number;
  readonly bytes: Uint8Array<ArrayBuffer> | undefined;
  readonly headers: Record<string, string>;
}

const KEPT_BYTES_MAX = 16 * 1024 * 1024;

/** Starts it on a free port of loopback; there is one bucket, whatever its name. */
export function startSink(): S3Sink {
  const objects = new Map<string, Kept>();
  const parts = new Map<string, number>();
  let etags = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname, searchParams } = new URL(request.url);
    const key = decodeURIComponent(pathname.split("/").slice(2).join("/"));
    const upload = searchParams.get("uploadId");
    if (key === "") return list(objects, searchParams);
    if (searchParams.has("uploads")) return xml(`<UploadId>${++etags}</UploadId>`);
    if (upload !== null && request.method === "PUT") {
      const size = await count(request);
      parts.set(upload, (parts.get(upload) ?? 0) + size);
      return new Response(null, { headers: { etag: `"${++etags}"` } });
    }
    if (upload !== null && request.method === "POST") {
      await count(request);
      objects.set(key, { size: parts.get(upload) ?? 0, bytes: undefined, headers: facts(`"${++etags}"`) });
      parts.delete(upload);
      return xml("<ETag></ETag>");
    }
    if (request.method === "PUT") return await put(objects, key, request, `"${++etags}"`);
    if (request.method === "DELETE") return remove(objects, key, request);
    return answer(objects.get(key), request.method);
  });
  return { endpoint: `http://127.0.0.1:${server.addr.port}`, [Symbol.asyncDispose]: () => server.shutdown() };
}

async function put(
  objects: Map<string, Kept>,
  key: string,
  request: Request,
  etag: string,
): Promise<Response> {
  const source = request.headers.get("x-amz-copy-source");
  const there = objects.get(key);
  const ifMatch = request.headers.get("if-match");
  const holds = !(request.headers.has("if-none-match") && there) &&
    (ifMatch === null || there?.headers["etag"] === ifMatch);
  const bytes = new Uint8Array(await request.arrayBuffer());
  if (!holds) return new Response(null, { status: 412 });
  const copied = source === null
    ? undefined
    : objects.get(decodeURIComponent(source).split("/").slice(2).join("/"));
  if (source !== null && !copied) return new Response(null, { status: 404 });
  const meta = [...request.headers].filter(([name]) => name.startsWith("x-amz-meta-"));
  const headers = { ...facts(etag), ...Object.fromEntries(meta) };
  if (bytes.length > KEPT_BYTES_MAX) return new Response(null, { status: 400 });
  objects.set(key, copied ? { ...copied, headers } : { size: bytes.length, bytes, headers });
  return copied ? xml(`<ETag></ETag>`) : new Response(null, { headers: { etag } });
}

function remove(objects: Map<string, Kept>, key: string, request: Request): Response {
  const ifMatch = request.headers.get("if-match");
  if (ifMatch !== null && objects.get(key)?.headers["etag"] !== ifMatch) {
    return new Response(null, { status: 412 });
  }
  objects.delete(key);
  return new Response(null, { status: 204 });
}

function answer(kept: Kept | undefined, method: string): Response {
  if (!kept) return new Response(null, { status: 404 });
  const headers = { ...kept.headers, "content-length": String(kept.size) };
  return new Response(method === "HEAD" ? null : kept.bytes ?? null, { headers });
}

function list(objects: Map<string, Kept>, query: URLSearchParams): Response {
  const [prefix, after] = [query.get("prefix") ?? "", query.get("start-after") ?? ""];
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).toSorted();
  const contents = keys.slice(0, 1_000).map((key) => `<Contents><Key>${key}</Key></Contents>`).join("");
  return xml(`<IsTruncated>${keys.length > 1_000}</IsTruncated>${contents}`);
}

function facts(etag: string): Record<string, string> {
  return { etag, "last-modified": new Date().toUTCString() };
}

function xml(content: string): Response {
  return new Response(`<Answer>${content}</Answer>`, { headers: { "content-type": "application/xml" } });
}

async function count(request: Request): Promise<number> {
  let size = 0;
  if (request.body) { for await (const chunk of request.body) size += chunk.byteLength; }
  return size;
}
