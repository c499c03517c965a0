/** A registry over a store of the test's own that lends clients addresses of a server of the test. */

import { contentOf, digestOf } from "../support/client.ts";
import { join } from "../support/paths.ts";
import { ROOT, type RunningRegistry, startRegistry } from "../support/registry.ts";

/** The address of the client that the store sends nowhere. */
export const SERVED_HERE = "192.0.2.7";

/** The address of the client that the store sends to no address at all. */
export const LED_ASTRAY = "192.0.2.13";

/** What the store puts into addresses, which nobody else may learn. */
export const SIGNATURE = "X-Amz-Signature=0123456789abcdef";

/** What a client asked the server of the test for. */
export interface Fetched {
  readonly path: string;
  readonly query: string;
  readonly headers: Headers;
}

/** A server that serves what the store holds, by its addresses alone. */
export interface Lender extends AsyncDisposable {
  /** Its base: `http://127.0.0.1:41234`. */
  readonly url: string;
  /** What it was asked for, from the first on. */
  readonly fetched: readonly Fetched[];
  /** Has it serve some bytes. */
  lend(bytes: Uint8Array<ArrayBuffer>): void;
}

/** Starts a server that lends blobs. */
export function startLender(): Lender {
  const fetched: Fetched[] = [];
  const lent = new Map<string, Uint8Array<ArrayBuffer>>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { pathname, search } = new URL(request.url);
    fetched.push({ path: pathname, query: search, headers: request.headers });
    const hex = pathname.split("/").find((segment) => lent.has(segment));
    if (hex === undefined) return new Response(null, { status: 404 });
    return rangeAnswer(lent.get(hex)!, request.headers.get("Range"));
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    fetched,
    lend: (bytes) => void lent.set(digestOf(bytes).replace("sha256:", ""), bytes),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function rangeAnswer(bytes: Uint8Array<ArrayBuffer>, range: string | null): Response {
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
  if (from === undefined) return new Response(bytes);
  return new Response(bytes.slice(Number(from), Number(to) + 1), {
    status: 206,
    headers: { "Content-Range": `bytes ${from}-${to}/${bytes.length}` },
  });
}

const MANIFEST = `
name = "lending"
kind = "storage"
version = "1.0.0"
entry = "lending.ts"
description = "Keeps objects in memory, and lends addresses of them."

[permissions]

[options]
base = { type = "string", required = true, description = "Where the addresses begin." }
`;

const ENTRY = `
import { create as createMemory } from "./memory.ts";

export const create = (options) =>
  Object.assign(createMemory(options), {
    async url(key, { client, mediaType }) {
      if (client === "${SERVED_HERE}") return undefined;
      if (client === "${LED_ASTRAY}") return "javascript:${SIGNATURE}";
      const query = new URLSearchParams({ client, mediaType });
      return \`\${options.base}/bucket/\${key}?\${query}&${SIGNATURE}\`;
    },
  });
`;

/** Starts a registry whose store lends addresses of a server. */
export async function startLendingRegistry(base: string, config = ""): Promise<RunningRegistry> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-lending-" });
  await writePlugin(folder);
  try {
    const text = `${config}
[plugin.lending]
path = "${folder}"
[storage.lending]
base = "${base}"
`;
    // Once it runs nothing is read from the folder, unless the plugin is started anew.
    return await startRegistry({ config: text, args: ["--verbose"] });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function writePlugin(folder: string): Promise<void> {
  const memory = await Deno.readTextFile(`${ROOT}plugins/storage/memory/memory.ts`);
  await Deno.writeTextFile(join(folder, "plugin.toml"), MANIFEST);
  await Deno.writeTextFile(join(folder, "lending.ts"), ENTRY);
  await Deno.writeTextFile(
    join(folder, "memory.ts"),
    memory.replaceAll("../../contract/", "@sreg/contract/"),
  );
}

/** The blob that the tests push. */
export const LAYER = contentOf("a layer that the store lends");
