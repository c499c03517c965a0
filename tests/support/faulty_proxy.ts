/**
 * A proxy between sreg and its S3 store that does what networks and stores do at their worst, as its rules say. All else
 * goes through as it comes, the Host too, so that signatures stay right. It counts what is asked of the store.
 *
 * @module
 */

import {
  answerExtent,
  CutShort,
  endsConnection,
  fieldOf,
  formatHead,
  type Head,
  requestExtent,
  statusOf,
  WireReader,
  withField,
  writeAll,
} from "./http_wire.ts";
import { Loopback } from "./loopback.ts";
import { readS3Request, type S3Operation, type S3Request } from "./s3_operations.ts";

/** What goes wrong with a request. */
export type Fault =
  /** The connection ends before the store has heard anything. */
  | { readonly kind: "refuse" }
  /** Nothing goes on, and nothing is answered, until the client ends the connection. */
  | { readonly kind: "hang" }
  /** The request goes on after this time. */
  | { readonly kind: "delay"; readonly ms: number }
  /** The connection ends when this many bytes of the request's body are with the store. */
  | { readonly kind: "cut request"; readonly after: number }
  /** The store is given the first half of the body as if that were all. */
  | { readonly kind: "halve request" }
  /** The request is carried out; the connection ends instead of the answer. */
  | { readonly kind: "lose answer" }
  /** The connection ends after this many bytes of the answer's body. */
  | { readonly kind: "cut answer"; readonly after: number }
  /** No more than this many bytes of the answer's body come, until the client ends the connection. */
  | { readonly kind: "stall answer"; readonly after: number }
  /** The answer is said to be this much longer, or shorter, than it is. */
  | { readonly kind: "wrong length"; readonly by: number }
  /** The request is not carried out, but answered: `{ status: 503, code: "SlowDown" }`. */
  | { readonly kind: "answer"; readonly status: number; readonly code: string; readonly retryAfter?: number };

/** Which requests meet a fault. */
export interface Rule {
  readonly fault: Fault;
  /** Those of these operations; default: all. */
  readonly operations?: readonly S3Operation[];
  /** Those whose key this fits; default: all. */
  readonly key?: RegExp;
  /** How many of them pass before; default: none. */
  readonly skip?: number;
  /** How many of them meet it then; default: all. */
  readonly times?: number;
}

/** A rule that is in force. */
export interface Planned {
  /** How many requests have met the fault. */
  readonly hits: number;
  /** Has the requests from now on pass. */
  end(): void;
}

interface Plan {
  readonly rule: Rule;
  seen: number;
  hits: number;
}

/** A client's connection, with the next request of it. */
interface Exchange {
  readonly client: Deno.Conn;
  readonly reader: WireReader;
  readonly request: Head;
  readonly asked: S3Request;
}

const MESSAGES: Readonly<Record<string, string>> = {
  SlowDown: "Please reduce your request rate.",
  InternalError: "We encountered an internal error. Please try again.",
};

/** Ends the connection to the client: there is nothing more to come on it. */
class Broken extends Error {}

/** Stands before an S3 server of loopback. */
export class FaultyProxy implements AsyncDisposable {
  readonly #loopback = new Loopback((connection) => this.#serve(connection));
  readonly #port: number;
  #plans: Plan[] = [];
  #requests: S3Request[] = [];
  #stalled = 0;

  /** `endpoint`: the store, `http://127.0.0.1:<port>`. */
  constructor(endpoint: string) {
    this.#port = Number(new URL(endpoint).port);
  }

  /** What sreg is to take for the store. */
  get endpoint(): string {
    return `http://127.0.0.1:${this.#loopback.port}`;
  }

  /** What was asked for since the last `forget`, also what met a fault. */
  get requests(): readonly S3Request[] {
    return this.#requests;
  }

  /** How many answers stand still. */
  get stalled(): number {
    return this.#stalled;
  }

  /** How often each operation was asked for since the last `forget`. */
  counts(): Partial<Record<S3Operation, number>> {
    const counts: Partial<Record<S3Operation, number>> = {};
    for (const { operation } of this.#requests) counts[operation] = (counts[operation] ?? 0) + 1;
    return counts;
  }

  /** Forgets what was asked for. */
  forget(): void {
    this.#requests = [];
  }

  /** Has requests meet a fault from now on. Of several rules for a request the one that was planned first counts. */
  plan(rule: Rule): Planned {
    const plan: Plan = { rule, seen: 0, hits: 0 };
    this.#plans.push(plan);
    return {
      get hits() {
        return plan.hits;
      },
      end: () => void (this.#plans = this.#plans.filter((other) => other !== plan)),
    };
  }

  /** Has all requests pass. */
  clear(): void {
    this.#plans = [];
  }

  /** Refuses connections from now on, and ends those that there are. */
  refuse(): void {
    this.#loopback.refuse();
  }

  /** Takes connections again. */
  accept(): void {
    this.#loopback.accept();
  }

  /** Ends all connections. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#loopback[Symbol.asyncDispose]();
  }

  async #serve(client: Deno.Conn): Promise<void> {
    const reader = new WireReader(client);
    for (let request; (request = await reader.head());) {
      const asked = readS3Request(request);
      this.#requests.push(asked);
      const exchange = { client, reader, request, asked };
      await this.#answer(exchange, this.#faultFor(asked));
      if (endsConnection(request)) return;
    }
  }

  #faultFor({ operation, key }: S3Request): Fault | undefined {
    for (const plan of this.#plans) {
      const { operations, key: pattern, skip = 0, times = Infinity, fault } = plan.rule;
      if (operations && !operations.includes(operation)) continue;
      if (pattern && !pattern.test(key)) continue;
      const index = plan.seen++ - skip;
      if (index < 0 || index >= times) continue;
      plan.hits++;
      return fault;
    }
    return undefined;
  }

  async #answer(exchange: Exchange, fault: Fault | undefined): Promise<void> {
    switch (fault?.kind) {
      case "refuse":
        throw new Broken();
      case "hang":
        await drop(exchange.reader.body("connection"));
        throw new Broken();
      case "answer":
        return await answerError(exchange, fault);
      case "delay":
        await new Promise((resolve) => setTimeout(resolve, fault.ms));
        return await this.#pass(exchange, undefined);
      case "stall answer":
        this.#stalled++;
        return await this.#pass(exchange, fault).finally(() => this.#stalled--);
      default:
        return await this.#pass(exchange, fault);
    }
  }

  /** Hands a request on, and its answer back, but for what goes wrong on the way. */
  async #pass(exchange: Exchange, fault: Fault | undefined): Promise<void> {
    const store = await this.#loopback.connect(this.#port);
    try {
      const sending = send(exchange, store, fault).catch((error) => {
        // Whoever waits for the answer is to learn that there will be none.
        this.#loopback.end(store);
        throw error;
      });
      sending.catch(() => {});
      const isKept = await receive(exchange, new WireReader(store), fault);
      await sending;
      if (!isKept) throw new Broken();
    } finally {
      this.#loopback.end(store);
    }
  }
}

async function send(
  { reader, request }: Exchange,
  store: Deno.Conn,
  fault: Fault | undefined,
): Promise<void> {
  const extent = requestExtent(request);
  if (fault?.kind === "halve request" && typeof extent === "number") {
    const half = Math.floor(extent / 2);
    await writeAll(store, formatHead(withField(request, "content-length", `${half}`)));
    await writeSome(store, reader.body(extent), half);
    return;
  }
  await writeAll(store, formatHead(request));
  if (fault?.kind !== "cut request") return await writeSome(store, reader.body(extent), Infinity);
  let left = fault.after;
  for await (const piece of reader.body(extent)) {
    await writeAll(store, piece.subarray(0, left));
    left -= Math.min(left, piece.length);
    if (left === 0) throw new Broken();
  }
  throw new Broken();
}

/** Answers whether another request can follow on the client's connection. */
async function receive(
  { client, reader, asked: { method } }: Exchange,
  answers: WireReader,
  fault: Fault | undefined,
): Promise<boolean> {
  const answer = await finalHead(answers, client);
  const extent = answerExtent(answer, method);
  const body = answers.body(extent);
  if (fault?.kind === "lose answer") {
    await drop(body);
    throw new Broken();
  }
  if (fault?.kind === "cut answer") {
    await writeAll(client, formatHead(answer));
    await writeSome(client, body, fault.after);
    throw new Broken();
  }
  if (fault?.kind === "stall answer") {
    await writeAll(client, formatHead(answer));
    await writeSome(client, body, fault.after);
    await drop(reader.body("connection"));
    throw new Broken();
  }
  if (fault?.kind === "wrong length") {
    const length = Number(fieldOf(answer, "content-length")) + fault.by;
    await writeAll(client, formatHead(withField(answer, "content-length", `${length}`)));
    await writeSome(client, body, Math.max(0, length));
    throw new Broken();
  }
  await writeAll(client, formatHead(answer));
  await writeSome(client, body, Infinity);
  return !endsConnection(answer) && extent !== "connection";
}

/** The head that the request is answered with; those before it ("go on") are handed on. */
async function finalHead(answers: WireReader, client: Deno.Conn): Promise<Head> {
  for (;;) {
    const answer = await answers.head();
    if (!answer) throw new CutShort("before an answer");
    if (statusOf(answer) >= 200) return answer;
    await writeAll(client, formatHead(answer));
  }
}

async function answerError(
  { client, reader, request, asked }: Exchange,
  { status, code, retryAfter }: Extract<Fault, { readonly kind: "answer" }>,
): Promise<void> {
  await drop(reader.body(requestExtent(request)));
  const text = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${
    MESSAGES[code] ?? code
  }</Message><Resource>/${asked.key}</Resource><RequestId>0</RequestId></Error>`;
  const head = {
    start: `HTTP/1.1 ${status} ${code}`,
    fields: [
      ["Content-Type", "application/xml"],
      ["Content-Length", `${text.length}`],
      ...(retryAfter === undefined ? [] : [["Retry-After", `${retryAfter}`] as const]),
    ] as const,
  };
  await writeAll(client, formatHead(head));
  if (asked.method !== "HEAD") await writeAll(client, new TextEncoder().encode(text));
}

/** Reads a body to its end, and writes no more than its first `length` bytes. */
async function writeSome(
  connection: Deno.Conn,
  body: AsyncIterable<Uint8Array>,
  length: number,
): Promise<void> {
  let left = length;
  for await (const piece of body) {
    if (left > 0) await writeAll(connection, piece.subarray(0, left));
    left -= Math.min(left, piece.length);
  }
}

async function drop(body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _piece of body);
}
