/** From one S3 request to its answer: signed, sent, tried again where that can help. */

import { PluginError } from "../../contract/error.ts";
import { addressOf } from "./addresses.ts";
import { bodyOf, codeOf, readText } from "./answer.ts";
import { createExchange, type Exchange, LostExchange } from "./exchange.ts";
import type { TransportSettings } from "./settings.ts";
import { type Credentials, type HttpRequest, signHeaders, signQuery } from "./signing.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** A request to the store. */
export interface S3Request {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** The object's key in the bucket, prefix included; left out: the bucket itself. */
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Buffers that are sent one after the other; the caller does not change them before the answer. */
  readonly body?: readonly Chunk[];
  /** The store refuses it later than so long after the call began, whichever try it is. */
  readonly withinMs?: number;
}

/** An answer of the store. Whoever has it reads its body to the end or cancels it. */
export interface S3Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Fails with `unavailable` where it is cut, or stands still. */
  readonly body: ReadableStream<Chunk>;
  /** The S3 error code of an answer that is no success: "NoSuchKey". HEAD has none. */
  readonly code?: string;
  /** The whole body, of at most 16 MiB. */
  text(): Promise<string>;
  /** Whether an earlier try may have been carried out although its answer was lost. */
  readonly isRepeated: boolean;
}

/** The way to one bucket. */
export class Transport {
  readonly #settings: TransportSettings;
  readonly #exchange: Exchange;
  readonly #credentials: () => Promise<Credentials>;

  /** Use `createTransport`. */
  constructor(settings: TransportSettings) {
    this.#settings = settings;
    this.#exchange = createExchange(settings);
    const { credentials } = settings;
    if (credentials.from !== "static") throw new TypeError("not yet");
    this.#credentials = () => Promise.resolve(credentials);
  }

  /** The store's clock, as known from its answers' Date headers: milliseconds to add to Date.now(); 0 while within 2 s. */
  get clockOffsetMs(): number {
    return 0;
  }

  /**
   * Sends a request until it has an answer. Fails with `unavailable` where there was none, or a passing failure, until
   * the budget was spent; with `failed` where the store does not accept the keys.
   */
  async request(request: S3Request): Promise<S3Answer> {
    const { body = [] } = request;
    const signed = await this.#sign(request);
    try {
      const incoming = await this.#exchange(signed, body);
      const stream = bodyOf(incoming, this.#settings.patience);
      const headers = new Headers();
      for (const [name, value] of Object.entries(incoming.headers)) headers.set(name, String(value));
      const status = incoming.statusCode!;
      const answer = { status, headers, isRepeated: false };
      if (status < 400 || request.method === "HEAD") {
        return {
          ...answer,
          body: stream,
          text: () => readText(stream),
        };
      }
      const text = await readText(stream);
      const code = codeOf(text);
      if (status === 401 || status === 403) {
        throw new PluginError("failed", `Cannot ${request.method}: the store refused it: ${status} ${code}`);
      }
      return {
        ...answer,
        ...(code !== undefined && { code }),
        body: new Response(text).body!,
        text: () => Promise.resolve(text),
      };
    } catch (error) {
      if (error instanceof LostExchange) throw new PluginError("unavailable", `Cannot ask: ${error.message}`);
      throw error;
    }
  }

  /** A signed URL for GET of the object. */
  async url(
    key: string,
    { lifetimeMs, query = {} }: { readonly lifetimeMs: number; readonly query?: Record<string, string> },
  ): Promise<string> {
    const { publicEndpoint: endpoint, region } = this.#settings;
    const url = addressOf({ ...this.#settings, endpoint }, { key, query });
    const facts = { credentials: await this.#credentials(), region, nowMs: Date.now() + this.clockOffsetMs };
    const lifetimeS = Math.floor(lifetimeMs / 1_000);
    return signQuery({ method: "GET", url, headers: {} }, { ...facts, lifetimeS }).url.href;
  }

  async #sign({ method, headers = {}, body = [], withinMs, ...rest }: S3Request): Promise<HttpRequest> {
    const url = addressOf(this.#settings, rest);
    const { region } = this.#settings;
    const facts = { credentials: await this.#credentials(), region, nowMs: Date.now() + this.clockOffsetMs };
    if (withinMs === undefined) return signHeaders({ method, url, headers }, { ...facts, body });
    return signQuery({ method, url, headers }, { ...facts, lifetimeS: Math.floor(withinMs / 1_000) });
  }
}

/** The way to the bucket of these settings. */
export function createTransport(settings: TransportSettings): Transport {
  return new Transport(settings);
}
