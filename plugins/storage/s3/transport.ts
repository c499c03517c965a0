/** From one S3 request to its answer: signed, sent, tried again where that can help. */

import { PluginError } from "../../contract/error.ts";
import { addressOf } from "./addresses.ts";
import { type Received, receiveDownload, receiveShort, refusalOf } from "./receiving.ts";
import { Breaker } from "./breaker.ts";
import { Call } from "./call.ts";
import { StoreClock } from "./clock.ts";
import { createCredentials, type CredentialSource } from "./credentials.ts";
import { type BeginDownload, createDownloads } from "./downloads.ts";
import { createExchange, type Exchange } from "./exchange.ts";
import { LostExchange } from "./lost_exchange.ts";
import { isPassing, Retries } from "./retries.ts";
import type { TransportSettings } from "./settings.ts";
import { type Credentials, type HttpRequest, signHeaders, signQuery } from "./signing.ts";
import { Slots } from "./slots.ts";
import { encryptionHeaders } from "./sse.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** A request to the store. */
export interface S3Request {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** The object's key in the bucket, prefix included; left out: the bucket itself. */
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Names are in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Buffers that are sent one after the other; the caller does not change them before the answer. */
  readonly body?: readonly Chunk[];
  /** The store refuses it later than so long after the call began, whichever try it is: then the call is `unavailable`. */
  readonly withinMs?: number;
  /** Whether the store has work of its own with it, which takes longer than to store or find something. */
  readonly isWork?: boolean;
  /** Asked before it is tried again because an answer was lost: `false` ends the call with `conflict`. */
  readonly isWorthwhile?: () => Promise<boolean>;
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

/** Requests that are tried at once; of those that carry much, as many again, so that the others need not wait for them. */
const TRIES_MAX = 64;
const MUCH_BYTES = 1024 * 1024;
const WORK_FACTOR = 10;

/** How a try went: an answer, a reason to try again at once, or a failure that may pass. */
type Outcome =
  | { readonly is: "answer"; readonly answer: S3Answer }
  | { readonly is: "corrected" }
  | { readonly is: "failure"; readonly state: string; readonly retryAfter?: string | null };

/** The way to one bucket. */
export class Transport {
  readonly #settings: TransportSettings;
  readonly #exchange: Exchange;
  readonly #download: BeginDownload;
  readonly #credentials: CredentialSource;
  readonly #clock = new StoreClock();
  readonly #retries = new Retries();
  readonly #breaker: Breaker;
  readonly #small = new Slots(TRIES_MAX);
  readonly #large = new Slots(TRIES_MAX);

  /** Connects nowhere yet. `breaker` says when the store has failed for too long. */
  constructor(settings: TransportSettings, breaker: Breaker = new Breaker()) {
    this.#settings = settings;
    this.#breaker = breaker;
    this.#exchange = createExchange(settings);
    this.#download = createDownloads(settings);
    this.#credentials = createCredentials(settings.credentials, (url, form) => this.#post(url, form));
  }

  /** The store's clock, as known from its answers' Date headers: milliseconds to add to Date.now(); 0 while within 2 s. */
  get clockOffsetMs(): number {
    return this.#clock.offsetMs;
  }

  /**
   * Sends a request until it has an answer. Fails with `unavailable` where there was none, or a passing failure, until
   * the budget was spent; with `failed` where the store does not accept the keys; with `conflict` where it is not worthwhile.
   */
  async request(request: S3Request): Promise<S3Answer> {
    const call = new Call(request, this.#settings.patience.budgetMs);
    for (;;) {
      const outcome = await this.#try(call);
      if (outcome.is === "answer") return outcome.answer;
      if (outcome.is === "corrected") continue;
      const { state, retryAfter = null } = outcome;
      const delayMs = this.#retries.delay({ tries: call.tries, retryAfter, leftMs: call.leftMs() });
      if (delayMs === undefined) throw call.error("unavailable", state);
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      if (call.isRepeated && await request.isWorthwhile?.() === false) throw call.error("conflict", state);
    }
  }

  /** A signed URL for GET of the object. */
  async url(
    key: string,
    options: {
      readonly lifetimeMs: number;
      readonly query?: Readonly<Record<string, string>>;
      /** Whether clients are to read there; else this server. */
      readonly isPublic: boolean;
    },
  ): Promise<string> {
    const { region } = this.#settings;
    const endpoint = options.isPublic ? this.#settings.publicEndpoint : this.#settings.endpoint;
    const url = addressOf({ ...this.#settings, endpoint }, { key, query: options.query ?? {} });
    const credentials = await this.#credentials.get().catch((error: unknown) => {
      if (!(error instanceof LostExchange)) throw error;
      throw new PluginError("unavailable", `Cannot sign a URL: ${error.message}`, { cause: error });
    });
    const lifetimeS = Math.floor(options.lifetimeMs / 1_000);
    const facts = { credentials, region, nowMs: this.#clock.now(), lifetimeS };
    return signQuery({ method: "GET", url, headers: {} }, facts).url.href;
  }

  #try(call: Call): Promise<Outcome> {
    const slots = call.bodyBytes > MUCH_BYTES ? this.#large : this.#small;
    return slots.hold(async () => {
      if (!this.#breaker.admit()) {
        throw call.error(
          "unavailable",
          "the store has failed for some time, and is asked once a second only",
        );
      }
      call.tries++;
      try {
        const credentials = await this.#credentials.get();
        const signed = this.#sign(call, credentials);
        return await this.#send(call, signed, { credentials, beganAt: performance.now() });
      } catch (error) {
        if (!(error instanceof LostExchange)) throw error;
        if (error.isHopeless) throw call.error("failed", error.message, error);
        return { is: "failure", state: error.message };
      }
    });
  }

  async #send(call: Call, signed: HttpRequest, facts: TryFacts): Promise<Outcome> {
    try {
      return this.#judge(call, await this.#receive(call.request, signed), facts);
    } catch (error) {
      if (error instanceof LostExchange) {
        this.#breaker.record("failure", facts.beganAt);
        call.isRepeated ||= error.isSent;
      }
      throw error;
    }
  }

  async #receive({ method, key, isWork = false, body = [] }: S3Request, signed: HttpRequest) {
    const { requestMs, stallMs } = this.#settings.patience;
    if (method === "GET" && key !== undefined) {
      return await receiveDownload(await this.#download(signed, { headMs: requestMs, stallMs }));
    }
    const headMs = isWork ? requestMs * WORK_FACTOR : requestMs;
    return receiveShort(await this.#exchange(signed, { body, headMs, stallMs }));
  }

  #judge(call: Call, received: Received, { credentials, beganAt }: TryFacts): Outcome {
    const { status, code, headers } = received;
    const isSkewed = code === "RequestTimeTooSkewed";
    const wayMs = performance.now() - beganAt;
    const isCorrected = this.#clock.observe(headers.get("date"), { wayMs, refused: isSkewed });
    if (isSkewed && isCorrected && call.correct("clock")) return { is: "corrected" };
    const isDown = isPassing(status, code) && (status === 429 || status >= 500);
    this.#breaker.record(isDown ? "failure" : "success", beganAt);
    if (isPassing(status, code)) {
      call.isRepeated ||= status >= 500;
      const state = `the store answered ${[status, code].join(" ").trim()}`;
      return { is: "failure", state, retryAfter: headers.get("retry-after") };
    }
    const refusal = refusalOf(received, call.request);
    if (refusal === undefined) {
      this.#retries.succeed();
      return { is: "answer", answer: { ...received, isRepeated: call.isRepeated } };
    }
    if (refusal.is === "credentials" && this.#credentials.renew(credentials) && call.correct("credentials")) {
      return { is: "corrected" };
    }
    throw call.error(refusal.is === "late" ? "unavailable" : "failed", refusal.state);
  }

  #sign(call: Call, credentials: Credentials): HttpRequest {
    const { method, headers: own = {}, body = [] } = call.request;
    const { region, encryption } = this.#settings;
    const url = addressOf(this.#settings, call.request);
    const headers = { ...own, ...encryptionHeaders(encryption, call.request) };
    const nowMs = this.#clock.now();
    const facts = { credentials, region, nowMs };
    const { deadlineMs } = call;
    if (deadlineMs === undefined) return signHeaders({ method, url, headers }, { ...facts, body });
    // The signature's time is in whole seconds, and its end must not be after the deadline.
    const signedAtMs = Math.floor(nowMs / 1_000) * 1_000;
    const lifetimeS = Math.floor((deadlineMs + this.#clock.offsetMs - signedAtMs) / 1_000);
    if (lifetimeS < 1) throw call.error("unavailable", "its time is over");
    return signQuery({ method, url, headers }, { ...facts, lifetimeS });
  }

  async #post(url: URL, form: string): Promise<{ readonly status: number; readonly text: string }> {
    const body = [new TextEncoder().encode(form)];
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const { requestMs: headMs, stallMs } = this.#settings.patience;
    const answer = await this.#exchange({ method: "POST", url, headers }, { body, headMs, stallMs });
    return { status: answer.status, text: new TextDecoder().decode(answer.bytes) };
  }
}

interface TryFacts {
  readonly credentials: Credentials;
  /** By `performance.now()`. */
  readonly beganAt: number;
}

/** The way to the bucket of these settings. */
export function createTransport(settings: TransportSettings): Transport {
  return new Transport(settings);
}
