import { PluginError, type PluginErrorCode } from "../../contract/error.ts";
import type { S3Request } from "./transport.ts";

/** One request to the store over all its tries. */
export class Call {
  readonly request: S3Request;
  readonly bodyBytes: number;
  /** How many tries were begun. */
  tries = 0;
  /** Whether one of them may have been carried out although its answer was lost. */
  isRepeated = false;
  readonly #beganAt = performance.now();
  readonly #beganAtMs = Date.now();
  readonly #budgetMs: number;
  readonly #corrections = new Set<string>();

  /** `budgetMs`: how long it may go on to be tried. */
  constructor(request: S3Request, budgetMs: number) {
    this.request = request;
    this.bodyBytes = request.body?.reduce((sum, { length }) => sum + length, 0) ?? 0;
    this.#budgetMs = budgetMs;
  }

  /** How long it may still be tried. */
  leftMs(): number {
    return this.#beganAt + this.#budgetMs - performance.now();
  }

  /** When it must not be carried out any more, by our clock: milliseconds since the epoch. */
  get deadlineMs(): number | undefined {
    const { withinMs } = this.request;
    return withinMs === undefined ? undefined : this.#beganAtMs + withinMs;
  }

  /** Whether it may be tried again for `reason`, which holds once a call. */
  correct(reason: "clock" | "credentials"): boolean {
    if (this.#corrections.has(reason)) return false;
    this.#corrections.add(reason);
    return true;
  }

  /** An error that names what was asked, and nothing that could be asked with. */
  error(code: PluginErrorCode, state: string, cause?: unknown): PluginError {
    const { method, key = "the bucket" } = this.request;
    const tries = this.tries > 1 ? ` (${this.tries} tries)` : "";
    return new PluginError(code, `Cannot ${method} ${key}: ${state}${tries}`, { cause });
  }
}
