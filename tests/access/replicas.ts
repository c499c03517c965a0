/** Servers of this process over one folder, and requests to them that no socket carries. */

import { create } from "../../plugins/storage/fs/fs.ts";
import { type AccessStore, openAccessStore } from "../../server/access/access_store.ts";
import { readConfig } from "../../server/config/mod.ts";
import { createLog } from "../../server/observe/log.ts";
import { createServer } from "../../server/server.ts";
import { cheapHash, identityTables } from "../support/identities.ts";
import { basic } from "./scene.ts";

/** An answer, read to its end. */
export interface ReplicaAnswer {
  readonly status: number;
  /** What it says, where it says something. */
  // deno-lint-ignore no-explicit-any -- tests look into answers whose shape they are about to check
  readonly value: any;
}

/** Somebody who sends requests. */
export interface Sender {
  /** Sends a request; a value goes as JSON, or as a form. */
  send(method: string, path: string, value?: unknown): Promise<ReplicaAnswer>;
  /** The status of a request for the API's version. */
  shown(): Promise<number>;
}

/** A server, and those who ask it. */
export interface Replica {
  readonly nobody: Sender;
  /** Somebody with a user name, and `<name>-password` or another password. */
  as(username: string, password?: string): Sender;
  /** Somebody with a token. */
  bearing(token: string): Sender;
  /** Sends a request as it is. */
  fetch(request: Request): Promise<ReplicaAnswer>;
}

/** Servers over one folder. */
export interface Replicas extends AsyncDisposable {
  readonly one: Replica;
  readonly other: Replica;
  /** What is kept of access in their folder. */
  readonly store: AccessStore;
}

/** An administrator, `root`, and two who may nothing, `ann` and `bob`, all of the configuration. */
export async function peopled(): Promise<string> {
  const tables = await identityTables(["root", "ann", "bob"]);
  return `${tables}[role.quiet]\nverbs = []\n[[binding]]\nrole = "admin"\nusers = ["root"]\n`;
}

/** Starts two servers over a new folder. */
export async function startReplicas(config: string): Promise<Replicas> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-replicas-" });
  const file = `${folder}/sreg.toml`;
  await Deno.writeTextFile(file, config);
  const start = async () =>
    await createServer(
      await readConfig({ files: [file], overrides: { dataDir: `${folder}/data` } }),
      createLog("error"),
    );
  const servers = [await start(), await start()] as const;
  return {
    one: replicaOf(servers[0].fetch),
    other: replicaOf(servers[1].fetch),
    store: openAccessStore(await create({ root_dir: `${folder}/data` })),
    async [Symbol.asyncDispose]() {
      for (const server of servers) await server.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

type Fetch = Awaited<ReturnType<typeof createServer>>["fetch"];

function replicaOf(fetch: Fetch): Replica {
  const answer = async (request: Request) => {
    const response = await fetch(request, { clientAddress: "127.0.0.1", certificate: null });
    const text = await response.text();
    return { status: response.status, value: text === "" ? undefined : JSON.parse(text) };
  };
  const sender = (authorization?: string): Sender => {
    const send = (method: string, path: string, value?: unknown) =>
      answer(requestOf({ method, path, ...bodyOf(value) }, authorization));
    return { send, shown: async () => (await send("GET", "/v2/")).status };
  };
  return {
    nobody: sender(),
    as: (username, password) => sender(basic(username, password)),
    bearing: (token) => sender(`Bearer ${token}`),
    fetch: answer,
  };
}

function bodyOf(value: unknown): Pick<RequestParts, "body" | "type"> {
  if (value === undefined) return {};
  if (value instanceof URLSearchParams) return { body: value, type: "application/x-www-form-urlencoded" };
  return { body: JSON.stringify(value) };
}

/** What a request is made of. */
export interface RequestParts {
  readonly method: string;
  readonly path: string;
  readonly body?: BodyInit;
  readonly type?: string;
}

/** A request to a registry, from somebody. */
export function requestOf(
  { method, path, body, type = "application/json" }: RequestParts,
  authorization?: string,
): Request {
  return new Request(`http://registry.example${path}`, {
    method,
    headers: {
      ...(authorization !== undefined && { Authorization: authorization }),
      ...(body !== undefined && { "Content-Type": type }),
    },
    ...(body !== undefined && { body }),
  });
}

/** An identity to be made, whose password is `<name>-password`. */
export async function orderOf(username: string): Promise<Readonly<Record<string, unknown>>> {
  return { username, password_hash: await cheapHash(`${username}-password`) };
}

/** What the error of an answer says. */
export function errorOf({ status, value }: ReplicaAnswer): readonly [status: number, message: string] {
  return [status, value.errors[0].message];
}

/** The path of an identity. */
export function identityPath(id: string): string {
  return `/admin/v1/identities/${encodeURIComponent(id)}`;
}

/** Waits until `ask` answers this, and says how long that took, in milliseconds; gives up after ten seconds. */
export async function msUntil<T>(expected: T, ask: () => Promise<T>): Promise<number> {
  const sinceMs = performance.now();
  for (;;) {
    const found = await ask();
    const ms = performance.now() - sinceMs;
    if (found === expected) return ms;
    if (ms > 10_000) throw new Error(`expected ${expected}, still found ${found}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
