/** One try of one request over HTTP: what is sent goes out as it lies in memory, what comes back is read as it is pulled. */

import {
  Agent as PlainAgent,
  type ClientRequest,
  type IncomingMessage,
  request as plainRequest,
} from "node:http";
import { Agent as TlsAgent, request as tlsRequest } from "node:https";
import type { Patience } from "./settings.ts";
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
}

/** How tries are made. */
export interface ExchangeSettings {
  readonly patience: Patience;
  /** Certificates (PEM) that are trusted besides the usual ones. */
  readonly ca: string | undefined;
}

/** Makes a try. Fails with a `LostExchange`. The answer's body is still to be read, or to be destroyed. */
export type Exchange = (
  request: HttpRequest,
  body: readonly Uint8Array<ArrayBuffer>[],
) => Promise<IncomingMessage>;

/** Sockets that wait for another request. */
const IDLE_SOCKETS_MAX = 64;
/** Less than the stores' and proxies' own, so that they seldom close a socket that is being taken. */
const IDLE_MS = 15_000;
/** What is handed to a socket at once: so much progress at least is seen in the time of a stall. */
const PIECE_BYTES = 256 * 1024;

/** What makes tries, over connections that are kept. */
export function createExchange({ patience, ca }: ExchangeSettings): Exchange {
  const kept = { keepAlive: true, maxFreeSockets: IDLE_SOCKETS_MAX, timeout: IDLE_MS };
  const plain = new PlainAgent(kept);
  const tls = new TlsAgent({ ...kept, ...(ca !== undefined && { ca }) });
  return ({ method, url, headers }, body) => {
    const options = { method, headers: { ...headers, ...lengthOf(method, body) } };
    const outgoing = url.protocol === "https:"
      ? tlsRequest(url, { ...options, agent: tls })
      : plainRequest(url, { ...options, agent: plain });
    return converse(outgoing, body, patience);
  };
}

function lengthOf(method: string, body: readonly Uint8Array[]): Record<string, string> {
  if (body.length === 0 && method !== "PUT" && method !== "POST") return {};
  return { "content-length": String(body.reduce((sum, { length }) => sum + length, 0)) };
}

function converse(
  outgoing: ClientRequest,
  body: readonly Uint8Array<ArrayBuffer>[],
  { requestMs, stallMs }: Patience,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  let isSent = false;
  let isAnswered = false;
  const lose = (message: string, cause?: unknown) => {
    clearTimeout(timer);
    outgoing.destroy();
    reject(new LostExchange(message, { isSent, cause }));
  };
  let timer = setTimeout(() => lose(`no connection within ${requestMs} ms`), requestMs);
  const wait = (ms: number, what: string) => {
    clearTimeout(timer);
    timer = setTimeout(() => lose(`${what} within ${ms} ms`), ms);
  };
  outgoing.on("error", (error) => lose(error.message, error));
  outgoing.on("response", (answer) => {
    clearTimeout(timer);
    isAnswered = true;
    resolve(answer);
  });
  whenConnected(outgoing, async () => {
    isSent = true;
    for (const piece of pieces(body)) {
      wait(stallMs, "no byte was taken");
      if (!outgoing.write(piece)) await once(outgoing, ["drain", "close"]);
      if (outgoing.destroyed || isAnswered) return;
    }
    wait(requestMs, "no answer");
    outgoing.end();
  });
  return promise;
}

function whenConnected(outgoing: ClientRequest, act: () => void): void {
  outgoing.on("socket", (socket) => {
    if (!socket.connecting) return act();
    socket.once("encrypted" in socket ? "secureConnect" : "connect", act);
  });
}

function once(emitter: ClientRequest, events: readonly string[]): Promise<void> {
  return new Promise((resolve) => events.forEach((event) => emitter.once(event, () => resolve())));
}

function* pieces(body: readonly Uint8Array<ArrayBuffer>[]): Generator<Uint8Array<ArrayBuffer>> {
  for (const bytes of body) {
    for (let start = 0; start < bytes.length; start += PIECE_BYTES) {
      yield bytes.subarray(start, start + PIECE_BYTES);
    }
  }
}
