import { createHmac, randomBytes } from "node:crypto";
import type { JsonObject } from "@sreg/contract/identity.ts";

/** An answer, and for how long it holds from now on. */
export interface HeldAnswer<Answer> {
  readonly answer: Answer;
  readonly holdsMs: number;
}

/** What is to be kept. */
export interface KeptAnswer<Answer> {
  readonly answer: Answer;
  /** Until when it may be used, in milliseconds since 1970. */
  readonly untilMs: number;
  /** Size of what the service sent. */
  readonly bytes: number;
}

/** What an answer takes besides what the service sent. */
const ENTRY_BYTES = 512;

/** Answers that may be used again. It forgets the oldest when it holds `bytesMax`. */
export class AnswerCache<Answer> {
  readonly #bytesMax: number;
  readonly #kept = new Map<string, KeptAnswer<Answer>>();
  readonly #secret = randomBytes(32);
  #bytes = 0;

  constructor({ bytesMax }: { readonly bytesMax: number }) {
    this.#bytesMax = bytesMax;
  }

  /** What a question's answer is kept under. It tells nothing of a password in it: its key is this process's own. */
  keyOf(question: JsonObject): string {
    return createHmac("sha256", this.#secret).update(JSON.stringify(question)).digest("base64");
  }

  get(key: string, nowMs: number): HeldAnswer<Answer> | undefined {
    const kept = this.#kept.get(key);
    if (!kept) return undefined;
    const holdsMs = kept.untilMs - nowMs;
    if (holdsMs > 0) return { answer: kept.answer, holdsMs };
    this.#forget(key);
    return undefined;
  }

  set(key: string, kept: KeptAnswer<Answer>): void {
    this.#forget(key);
    this.#kept.set(key, kept);
    this.#bytes += ENTRY_BYTES + kept.bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    const kept = this.#kept.get(key);
    if (!kept) return;
    this.#kept.delete(key);
    this.#bytes -= ENTRY_BYTES + kept.bytes;
  }
}
