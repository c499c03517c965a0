/** Speaks to a server, and believes nothing of what it answers before it has looked at it. */

import { chunksWithin } from "../plugins/contract/chunks.ts";
import type { GlobalFlags } from "./frame.ts";
import { Misuse } from "./misuse.ts";
import { harmless } from "./output.ts";
import { explainRefusal, explainSilence } from "./refusal.ts";
import { type Absent, list, object, optional, type Shape, text } from "./shape.ts";
import { findTarget, requireSafe, stayDirect, type Target } from "./target.ts";

/** What is asked of a server. */
export interface Question<T> {
  readonly method?: "POST" | "PUT" | "PATCH" | "DELETE";
  /** Under the server's URL; what others chose in it is encoded: `pathOf`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  /** What its answer must look like; absent: it has none. */
  readonly shape?: Shape<T>;
}

/** A server to ask. */
export interface Client extends Disposable {
  /** Its scheme, host and port. */
  readonly origin: string;
  /** What the server answers. Throws a `Refusal` where it refuses, an `Unreachable` where it does not answer. */
  ask<T = undefined>(question: Question<T>): Promise<T>;
}

/** The server says no. Its words are in the message, and cannot look like a line of sregctl's own. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  constructor(message: string, readonly status: number, readonly answer: unknown) {
    super(harmless(message));
  }
}

/** The server could not be asked: it may be another time. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

const TIMEOUT_S = 30;
const TIMEOUT_S_MAX = 24 * 60 * 60;
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
const LIST_ITEMS_MAX = 100_000;
const PAGE_ITEMS = "1000";
const PAGES_MAX = 1_000;

/** The server that the flags, the environment or the current context name. */
export async function openClient(flags: GlobalFlags): Promise<Client> {
  return createClient(await findTarget(flags), flags);
}

/** A client of a server. */
export function createClient(target: Target, { timeout }: Pick<GlobalFlags, "timeout"> = {}): Client {
  requireSafe(target);
  stayDirect(target);
  const timeoutMs = readTimeout(timeout);
  const transport = createTransport(target);
  const origin = target.server.origin;
  const base = target.server.href.replace(/[?#].*$/, "").replace(/\/+$/, "");
  return {
    origin,
    async ask<T>(question: Question<T>): Promise<T> {
      const answer = await fetchAnswer(urlOf(base, question), {
        transport,
        timeoutMs,
        init: requestOf(question, target),
      });
      return readAnswer(answer, { target, shape: question.shape });
    },
    [Symbol.dispose]: () => transport?.close(),
  };
}

/** A path with the words that others chose in it. A word may have slashes, as names of repositories have. */
export function pathOf(parts: TemplateStringsArray, ...words: readonly string[]): string {
  return words.reduce(
    (path, word, index) => path + word.split("/").map(encodeWord).join("/") + parts[index + 1],
    parts[0]!,
  );
}

/** An identity's id, which may have anything in it, slashes too. */
export function idPath(id: string): string {
  return `/admin/v1/identities/${encodeWord(id)}`;
}

/** All pages of a list, as if it were one; not many more than `limit` items, where there is one. */
export async function askList<Name extends string, T>(
  client: Client,
  { name, item, path, query = {}, limit = Infinity }: {
    readonly name: Name;
    readonly item: Shape<T>;
    readonly path: string;
    readonly query?: Readonly<Record<string, string | undefined>>;
    readonly limit?: number;
  },
): Promise<readonly T[]> {
  const shape = object({ next: optional(text), [name]: list(item) }) as Shape<
    { readonly next: string | Absent } & Readonly<Record<Name, readonly T[]>>
  >;
  const items: T[] = [];
  const follow = pageFollower(client);
  let last: string | undefined;
  do {
    const page = await client.ask({ path, query: { ...query, n: PAGE_ITEMS, last }, shape });
    last = follow(page.next, page[name].length);
    for (const found of page[name]) items.push(found);
  } while (last !== undefined && items.length < limit);
  return items;
}

/**
 * Says where a list goes on after each of its pages; `undefined`: nowhere. A page may be empty and not the last. Throws where
 * the list does not come to an end.
 */
export function pageFollower(
  { origin }: Pick<Client, "origin">,
): (next: string | Absent, items: number) => string | undefined {
  let [pages, all] = [0, 0];
  let last: string | undefined;
  return (next, items) => {
    all += items;
    if (all > LIST_ITEMS_MAX || (next && (next === last || ++pages >= PAGES_MAX))) {
      throw new Error(`Cannot list: ${origin} does not come to an end`);
    }
    return last = next || undefined;
  };
}

interface Transmission {
  readonly transport: Deno.HttpClient | undefined;
  readonly timeoutMs: number;
  readonly init: RequestInit;
}

interface RawAnswer {
  readonly status: number;
  readonly location: string | null;
  readonly text: string;
}

async function fetchAnswer(url: URL, { transport, timeoutMs, init }: Transmission): Promise<RawAnswer> {
  const deadline = performance.now() + timeoutMs;
  try {
    const answer = await fetch(url, {
      ...init,
      signal: AbortSignal.timeout(timeoutMs),
      redirect: "manual",
      ...(transport && { client: transport }),
    });
    return {
      status: answer.status,
      location: answer.headers.get("Location"),
      text: await readText(answer, { origin: url.origin, deadline }),
    };
  } catch (error) {
    if (error instanceof Refusal) throw error;
    const reason = (error as Error).name === "TimeoutError"
      ? `no answer within ${timeoutMs / 1000} s`
      : explainSilence(error as Error, url);
    throw new Unreachable(`Cannot reach ${url.origin}: ${reason}`, { cause: error });
  }
}

async function readText(
  answer: Response,
  { origin, deadline }: { readonly origin: string; readonly deadline: number },
): Promise<string> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  if (!answer.body) return "";
  for await (const chunk of chunksWithin(answer.body, () => deadline - performance.now())) {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_BYTES_MAX) {
      throw new Refusal(`Cannot ask ${origin}: its answer is larger than 16 MiB`, answer.status, undefined);
    }
    chunks.push(chunk);
  }
  return await new Blob(chunks).text();
}

function readAnswer<T>(
  { status, location, text: content }: RawAnswer,
  { target, shape }: { readonly target: Target; readonly shape: Shape<T> | undefined },
): T {
  const { origin } = target.server;
  if (status >= 300 && status < 400) {
    throw new Refusal(`Cannot ask ${origin}: it redirects to ${location ?? "nowhere"}`, status, undefined);
  }
  const value = parseJson(content);
  if (status < 200 || status >= 400) {
    throw new Refusal(explainRefusal({ status, value, content }, target), status, value);
  }
  if (!shape) return undefined as T;
  const problem = value === undefined ? "" : shape.problem(value, "");
  if (problem === undefined) return value as T;
  const detail = problem === "" ? "" : ` (${problem})`;
  throw new Refusal(`Cannot ask ${origin}: its answer is not one of sreg's${detail}`, status, value);
}

function parseJson(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}

function urlOf(base: string, { path, query = {} }: Pick<Question<unknown>, "path" | "query">): URL {
  const url = new URL(base + path);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return url;
}

function requestOf({ method = undefined, body }: Question<unknown>, { credentials }: Target): RequestInit {
  return {
    method: method ?? "GET",
    headers: {
      Accept: "application/json",
      ...(body !== undefined && { "Content-Type": "application/json" }),
      ...(credentials && { Authorization: authorizationOf(credentials) }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  };
}

function authorizationOf(credentials: NonNullable<Target["credentials"]>): string {
  if ("token" in credentials) return `Bearer ${credentials.token}`;
  return `Basic ${new TextEncoder().encode(`${credentials.username}:${credentials.password}`).toBase64()}`;
}

function createTransport({ ca, certificate, key }: Target): Deno.HttpClient | undefined {
  if (ca === undefined && certificate === undefined) return undefined;
  if ((certificate === undefined) !== (key === undefined)) {
    throw new Misuse("A client certificate needs its key: --cert with --key");
  }
  try {
    return Deno.createHttpClient({
      ...(ca !== undefined && { caCerts: [readPem(ca)] }),
      ...(certificate !== undefined && { cert: readPem(certificate), key: readPem(key!) }),
    });
  } catch (error) {
    if (error instanceof Misuse) throw error;
    throw new Misuse(`Cannot use the certificates: ${(error as Error).message}`, { cause: error });
  }
}

function readPem(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new Misuse(`Cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function readTimeout(seconds: string | undefined): number {
  if (seconds === undefined) return TIMEOUT_S * 1_000;
  const value = Number(seconds);
  if (value > 0 && value <= TIMEOUT_S_MAX) return value * 1_000;
  throw new Misuse("--timeout: expected seconds");
}

/** `.` and `..` would be taken out of a URL, encoded or not: what they name cannot exist. */
function encodeWord(word: string): string {
  if (word === "." || word === "..") throw new Misuse(`There is nothing of the name "${word}"`);
  return encodeURIComponent(word);
}
