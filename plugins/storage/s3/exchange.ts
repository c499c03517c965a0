/** One try of one request over HTTP: what is sent goes out as it lies in memory, what comes back is read as it is pulled. */

import {
  Agent as PlainAgent,
  type ClientRequest,
  type IncomingMessage,
  request as plainRequest,
} from "node:http";
import { Agent as TlsAgent, request as tlsRequest } from "node:https";
import type { HttpRequest } from "./signing.ts";

/** A try that got no answer. */
export class LostExchange extends Error {
  /** Whether the store may have seen the request. */
  readonly isSent: boolean;

  /** An error whose `message` says what happened to the connection. */
  constructor(message: string, { isSent, cause }: { readonly isSent: boolean; readonly cause?: unknown }) {
    super(message, { cause });
    this.name = "LostExchange";
    this.isSent = isSent;
  }

  /** Whether another try would fail in the same way: the store's certificate is refused, or no connection is allowed. */
  get isHopeless(): boolean {
    return /certificate|Requires net access/i.test(this.message);
  }
}

/** How a try is made. */
export interface ExchangeOptions {
  /** Buffers that are sent one after the other. */
  readonly body: readonly Uint8Array<ArrayBuffer>[];
  /** For a connection, and for the head of the answer once the request is sent. */
  readonly headMs: number;
  /** Until some of the body was taken. */
  readonly stallMs: number;
}

/** Makes a try. Fails with a `LostExchange`. The answer's body is still to be read, or to be destroyed. */
export type Exchange = (request: HttpRequest, options: ExchangeOptions) => Promise<IncomingMessage>;

/** Sockets that wait for another request. */
const IDLE_SOCKETS_MAX = 64;
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
  readonly answer: Promise<IncomingMessage>;
  readonly #outgoing: ClientRequest;
  readonly #options: ExchangeOptions;
  readonly #resolve: (answer: IncomingMessage) => void;
  readonly #reject: (error: LostExchange) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isSent = false;
  #isAnswered = false;

  constructor(outgoing: ClientRequest, options: ExchangeOptions) {
    ({ promise: this.answer, resolve: this.#resolve, reject: this.#reject } = Promise.withResolvers());
    this.#outgoing = outgoing;
    this.#options = options;
    outgoing.on("error", (error) => this.#lose(error.message, error));
    outgoing.on("close", () => this.#lose("the connection was closed"));
    outgoing.on("response", (answer) => this.#receive(answer));
    outgoing.on("socket", (socket) => {
      // Within the event the request is not quite tied to a kept socket yet, and would never hear that it has drained.
      if (!socket.connecting) return queueMicrotask(() => void this.#send());
      socket.once("encrypted" in socket ? "secureConnect" : "connect", () => void this.#send());
    });
    this.#expect("no connection", options.headMs);
  }

  async #send(): Promise<void> {
    this.#isSent = true;
    for (const piece of piecesOf(this.#options.body)) {
      this.#expect("none of the body was taken", this.#options.stallMs);
      if (!this.#outgoing.write(piece)) await nextEvent(this.#outgoing, ["drain", "close", "response"]);
      if (this.#outgoing.destroyed || this.#isAnswered) return;
    }
    this.#expect("no answer", this.#options.headMs);
    this.#outgoing.end();
  }

  #receive(answer: IncomingMessage): void {
    clearTimeout(this.#timer);
    this.#isAnswered = true;
    // The rest of a body that was refused in its middle is not sent: the connection cannot be used again.
    if (!this.#outgoing.writableEnded) answer.once("end", () => this.#outgoing.destroy());
    this.#resolve(answer);
  }

  #expect(what: string, ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lose(`${what} within ${ms} ms`), ms);
  }

  #lose(message: string, cause?: unknown): void {
    clearTimeout(this.#timer);
    if (this.#isAnswered) return;
    this.#reject(new LostExchange(message, { isSent: this.#isSent, cause }));
    this.#outgoing.destroy();
  }
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
