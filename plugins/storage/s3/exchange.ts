/**
 * One try of one request over HTTP, with a short answer. What is sent goes out as it lies in memory: `node:http` copies
 * none of it, where `fetch` holds it four times.
 */

import {
  Agent as PlainAgent,
  type ClientRequest,
  type IncomingMessage,
  request as plainRequest,
} from "node:http";
import { Agent as TlsAgent, request as tlsRequest } from "node:https";
import type { Socket } from "node:net";
import { joinChunks } from "./chunks.ts";
import { LostExchange } from "./lost_exchange.ts";
import type { HttpRequest } from "./signing.ts";
import { Watchdog } from "./watchdog.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** How a try is made. */
export interface ExchangeOptions {
  /** Buffers that are sent one after the other. */
  readonly body: readonly Uint8Array<ArrayBuffer>[];
  /** For a connection, and for the head of the answer once the request is sent. */
  readonly headMs: number;
  /** From one piece of a body to the next, either way. */
  readonly stallMs: number;
}

/** An answer with its whole body. */
export interface ShortAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Chunk;
}

/** Makes a try. Fails with a `LostExchange`, also where the answer is cut or has no end. */
export type Exchange = (request: HttpRequest, options: ExchangeOptions) => Promise<ShortAnswer>;

/** Sockets that wait for another request. */
const IDLE_SOCKETS_MAX = 64;
/** The longest answer: a list of 1,000 keys has some 400 KB. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
/** What is handed to a socket at once: so much progress at least is seen in the time of a stall. */
const PIECE_BYTES = 256 * 1024;

/** What makes tries, over connections that are kept. `ca`: certificates (PEM) that are trusted. */
export function createExchange({ ca }: { readonly ca: string | undefined }): Exchange {
  const kept = { keepAlive: true, maxFreeSockets: IDLE_SOCKETS_MAX };
  const plain = new PlainAgent(kept);
  const tls = new TlsAgent({ ...kept, ...(ca !== undefined && { ca }) });
  return ({ method, url, headers }, options) => {
    const sent = { method, headers: { ...headers, ...lengthOf(method, options.body) } };
    const outgoing = url.protocol === "https:"
      ? tlsRequest(url, { ...sent, agent: tls })
      : plainRequest(url, { ...sent, agent: plain });
    return new Conversation(outgoing, options).answer;
  };
}

function lengthOf(method: string, body: readonly Uint8Array[]): Record<string, string> {
  if (body.length === 0 && method !== "PUT" && method !== "POST") return {};
  return { "content-length": String(body.reduce((sum, { length }) => sum + length, 0)) };
}

/** A request on its way, and who waits for its answer. */
class Conversation {
  readonly answer: Promise<ShortAnswer>;
  readonly #outgoing: ClientRequest;
  readonly #options: ExchangeOptions;
  readonly #resolve: (answer: ShortAnswer) => void;
  readonly #reject: (error: LostExchange) => void;
  readonly #chunks: Chunk[] = [];
  #length = 0;
  readonly #dog = new Watchdog((message) => this.#lose(message));
  #isSent = false;
  #isAnswered = false;
  #isOver = false;

  constructor(outgoing: ClientRequest, options: ExchangeOptions) {
    ({ promise: this.answer, resolve: this.#resolve, reject: this.#reject } = Promise.withResolvers());
    this.#outgoing = outgoing;
    this.#options = options;
    outgoing.on("error", (error) => this.#lose(error.message, error));
    outgoing.on("close", () => this.#isAnswered || this.#lose("the connection was closed"));
    outgoing.on("response", (answer) => this.#receive(answer));
    outgoing.on("socket", (socket) => {
      this.#watchSocket(socket);
      // Within the event the request is not quite tied to a kept socket yet, and may never hear that it has drained.
      if (!socket.connecting) return queueMicrotask(() => void this.#send());
      socket.once("encrypted" in socket ? "secureConnect" : "connect", () => void this.#send());
    });
    this.#dog.expect("no connection", options.headMs);
  }

  /** A request that is begun on a kept connection is not told that this has ended before the answer. */
  #watchSocket(socket: Socket): void {
    const lose = () => setTimeout(() => this.#isAnswered || this.#lose("the connection was closed"));
    socket.once("close", lose);
    const leave = () => socket.off("close", lose);
    this.answer.then(leave, leave);
  }

  async #send(): Promise<void> {
    this.#isSent = true;
    for (const piece of piecesOf(this.#options.body)) {
      this.#dog.expect("none of the body was taken", this.#options.stallMs);
      if (!this.#outgoing.write(piece)) await nextEvent(this.#outgoing, ["drain", "close", "response"]);
      if (this.#outgoing.destroyed || this.#isAnswered) return;
    }
    this.#dog.expect("no answer", this.#options.headMs);
    this.#outgoing.end();
  }

  #receive(answer: IncomingMessage): void {
    this.#isAnswered = true;
    this.#dog.expect("the answer stood still", this.#options.stallMs);
    answer.on("data", (bytes: Chunk) => this.#collect(bytes));
    answer.once("error", (error) => this.#lose(`the answer was cut: ${error.message}`, error));
    answer.once("close", () => this.#lose("the answer was cut"));
    answer.once("end", () => this.#end(answer));
  }

  #collect(bytes: Chunk): void {
    if (this.#isOver) return;
    this.#dog.expect("the answer stood still", this.#options.stallMs);
    this.#chunks.push(bytes);
    this.#length += bytes.length;
    if (this.#length > ANSWER_BYTES_MAX) this.#lose(`the answer is longer than ${ANSWER_BYTES_MAX} bytes`);
  }

  #end({ statusCode = 0, headers }: IncomingMessage): void {
    const awaited = Number(headers["content-length"] ?? NaN);
    // HEAD's answer tells the length of a body that it has not.
    if (this.#outgoing.method !== "HEAD" && this.#length < awaited) return this.#lose("the answer was cut");
    if (this.#isOver) return;
    this.#isOver = true;
    this.#dog.end();
    // The rest of a body that was refused in its middle is not sent: the connection cannot be used again.
    if (!this.#outgoing.writableEnded) this.#outgoing.destroy();
    const bytes = joinChunks(this.#chunks);
    this.#resolve({ status: statusCode, headers: toHeaders(headers), bytes });
  }

  #lose(message: string, cause?: unknown): void {
    // By now the connection may carry another request.
    if (this.#isOver) return;
    this.#isOver = true;
    this.#dog.end();
    this.#reject(new LostExchange(message, { isSent: this.#isSent, cause }));
    this.#outgoing.destroy();
  }
}

function toHeaders(headers: IncomingMessage["headers"]): Headers {
  return new Headers(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

function* piecesOf(body: readonly Uint8Array<ArrayBuffer>[]): Generator<Uint8Array<ArrayBuffer>> {
  for (const bytes of body) {
    for (let start = 0; start < bytes.length; start += PIECE_BYTES) {
      yield bytes.subarray(start, start + PIECE_BYTES);
    }
  }
}

function nextEvent(emitter: ClientRequest, events: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const event of events) emitter.off(event, done);
      resolve();
    };
    for (const event of events) emitter.on(event, done);
  });
}
