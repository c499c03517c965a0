/**
 * What all webhooks do: ask a service, read what it said, and use that again for as long as it holds.
 *
 * @module
 */

import type { JsonObject } from "@sreg/contract/identity.ts";
import { AnswerCache, type HeldAnswer } from "./answer_cache.ts";
import { type Ask, createCaller, type Reply } from "./caller.ts";
import { CACHE_MS_MAX, type WebhookSettings } from "./settings.ts";
import { Silence } from "./silence.ts";

/** What a reply means. */
export interface Meaning<Answer> {
  readonly answer: Answer;
  /** How long it holds, in milliseconds, if the service says so. */
  readonly holdsMs?: number;
  /** When it ends at the latest, in milliseconds since 1970. */
  readonly expiresAtMs?: number;
}

/** Makes sense of a reply; throws where there is none. */
export type ReadReply<Answer> = (reply: Reply) => Meaning<Answer>;

const CACHE_BYTES_MAX = 16 * 1_024 * 1_024;

/** A service that is asked. */
export class Webhook<Answer> {
  readonly #settings: WebhookSettings;
  readonly #ask: Ask;
  readonly #read: ReadReply<Answer>;
  readonly #cache = new AnswerCache<Answer>({ bytesMax: CACHE_BYTES_MAX });

  constructor(settings: WebhookSettings, read: ReadReply<Answer>) {
    this.#settings = settings;
    this.#ask = createCaller(settings);
    this.#read = read;
  }

  /**
   * What the service says of `lasting`, the facts that the answer depends on; those of `passing` it is told beside them.
   * Fails with `Silence` where it says nothing that can be understood, which is never kept.
   */
  async ask(lasting: JsonObject, passing: JsonObject = {}): Promise<HeldAnswer<Answer>> {
    const askedAtMs = Date.now();
    const key = this.#cache.keyOf(lasting);
    const known = this.#cache.get(key, askedAtMs);
    if (known) return known;
    const reply = await this.#ask({ ...lasting, ...passing });
    const { answer, holdsMs = this.#settings.cacheMs, expiresAtMs = Infinity } = this.#readReply(reply);
    const untilMs = Math.min(askedAtMs + Math.min(holdsMs, CACHE_MS_MAX), expiresAtMs);
    const nowMs = Date.now();
    if (untilMs > nowMs) this.#cache.set(key, { answer, untilMs, bytes: reply.bytes });
    return { answer, holdsMs: Math.max(0, untilMs - nowMs) };
  }

  #readReply(reply: Reply): Meaning<Answer> {
    try {
      return this.#read(reply);
    } catch (error) {
      const { origin, pathname } = this.#settings.url;
      const state = `its answer cannot be understood: ${(error as Error).message}`;
      throw new Silence(`Cannot ask ${origin}${pathname}: ${state}`, { cause: error });
    }
  }
}
