import type { Storage } from "../../plugins/contract/storage.ts";
import { LEASE_KEY } from "./keys.ts";
import { deleteValue, getValue, putValue, type Stored } from "./values.ts";

/** What is in the store while the lease is held. */
interface LeaseValue {
  /** The replica that holds it. */
  readonly replica: string;
  /** Another one each time that it is taken: no two are alike. */
  readonly hold: string;
  /** What it is held for. */
  readonly job: string;
  /** Counts the renewals, so that each changes the object. */
  readonly beat: number;
  /** How long it counts without a renewal, in milliseconds. */
  readonly lifetime_ms: number;
}

/** Whether the lease can be had. `job` is what it is held for, as far as that can be read. */
export type LeaseState =
  | { readonly is: "free" }
  | { readonly is: "held"; readonly job: string | undefined }
  | { readonly is: "stale"; readonly etag: string };

/** How a lease is taken. */
export interface LeaseOptions {
  readonly replica: string;
  /** How long it counts without a renewal, in milliseconds. */
  readonly lifetimeMs: () => number;
}

/** Longest lifetime that is believed of another's lease, in milliseconds. */
export const LIFETIME_MAX_MS = 10 * 60 * 1000;

/**
 * The lease that whoever runs a job holds, over all replicas. It is there for order, not for safety: a holder that hangs
 * may go on for a moment after another took it.
 *
 * No two clocks are compared. A lease is stale for whoever has seen it unchanged for its whole lifetime by a clock that only
 * goes forward; the holder counts from before its last renewal, and gives up after two thirds of that time.
 */
export class Lease {
  readonly #storage: Storage;
  readonly #options: LeaseOptions;
  #seen: { readonly etag: string; readonly sinceMs: number } | undefined;

  constructor(storage: Storage, options: LeaseOptions) {
    this.#storage = storage;
    this.#options = options;
  }

  /** Looks at the lease. Whoever looks now and then sees when it is stale. */
  async look(): Promise<LeaseState> {
    const beforeMs = performance.now();
    const found = await getValue<LeaseValue>(this.#storage, LEASE_KEY);
    if (!found) {
      this.#seen = undefined;
      return { is: "free" };
    }
    if (this.#seen?.etag !== found.etag) {
      this.#seen = { etag: found.etag, sinceMs: performance.now() };
    } else if (beforeMs - this.#seen.sinceMs >= this.#lifetimeOf(found)) {
      return { is: "stale", etag: found.etag };
    }
    const job = found.value?.job;
    return { is: "held", job: typeof job === "string" ? job : undefined };
  }

  /** Takes the lease for a job. `undefined`: it is held, or somebody else was faster. */
  async acquire(job: string): Promise<Hold | undefined> {
    const state = await this.look();
    if (state.is === "held") return undefined;
    const { replica, lifetimeMs } = this.#options;
    const value = { replica, hold: crypto.randomUUID(), job, beat: 0, lifetime_ms: lifetimeMs() };
    const startedMs = performance.now();
    const condition = state.is === "free" ? { ifAbsent: true as const } : { ifMatch: state.etag };
    const etag = await putValue(this.#storage, LEASE_KEY, { value, ...condition });
    return etag === undefined ? undefined : new Hold(this.#storage, { value, etag, startedMs });
  }

  /** What cannot be read, or lasts longer than it may, must not block for ever. */
  #lifetimeOf({ value }: Stored<LeaseValue>): number {
    const told = value?.lifetime_ms;
    const lifetimeMs = typeof told === "number" && told > 0 ? told : 0;
    return Math.min(Math.max(lifetimeMs, this.#options.lifetimeMs()), LIFETIME_MAX_MS);
  }
}

/** The lease while it is held. It renews itself until it is released or lost. */
export class Hold {
  readonly #storage: Storage;
  readonly #lost = new AbortController();
  readonly #timer: ReturnType<typeof setInterval>;
  #deadline: ReturnType<typeof setTimeout>;
  #value: LeaseValue;
  #etag: string;
  #renewing: Promise<void> = Promise.resolve();
  #ended = false;

  constructor(
    storage: Storage,
    { value, etag, startedMs }: {
      readonly value: LeaseValue;
      readonly etag: string;
      readonly startedMs: number;
    },
  ) {
    this.#storage = storage;
    this.#value = value;
    this.#etag = etag;
    this.#deadline = this.#armDeadline(startedMs);
    this.#timer = setInterval(() => void this.renew(), value.lifetime_ms / 3);
  }

  /** Aborted when the lease is lost, or may be soon. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Renews the lease now. A store that fails is asked again at the next beat, as long as there is time. */
  renew(): Promise<void> {
    return this.#renewing = this.#renewing.then(() => this.#renew()).catch(() => {});
  }

  /** Gives the lease back, where it is still this one. */
  async release(): Promise<void> {
    if (this.#ended) return;
    this.#end();
    await this.#renewing;
    await deleteValue(this.#storage, LEASE_KEY, { ifMatch: this.#etag });
  }

  async #renew(): Promise<void> {
    if (this.#ended) return;
    const startedMs = performance.now();
    const value = { ...this.#value, beat: this.#value.beat + 1 };
    const etag = await putValue(this.#storage, LEASE_KEY, { value, ifMatch: this.#etag });
    if (etag === undefined) return await this.#findOwn();
    this.#value = value;
    this.#etag = etag;
    if (this.#ended) return;
    clearTimeout(this.#deadline);
    this.#deadline = this.#armDeadline(startedMs);
  }

  /** A renewal whose answer was lost may have happened all the same: then the next one goes on from it. */
  async #findOwn(): Promise<void> {
    const found = await getValue<LeaseValue>(this.#storage, LEASE_KEY);
    if (found?.value?.hold !== this.#value.hold) return this.#lose("another replica has taken over");
    this.#value = found.value;
    this.#etag = found.etag;
    await this.#renew();
  }

  #armDeadline(startedMs: number): ReturnType<typeof setTimeout> {
    const leftMs = startedMs + this.#value.lifetime_ms * 2 / 3 - performance.now();
    return setTimeout(() => this.#lose("it could not be renewed in time"), Math.max(0, leftMs));
  }

  #lose(reason: string): void {
    if (this.#ended) return;
    this.#end();
    this.#lost.abort(new Error(`Cannot go on with the job: its lease is lost, ${reason}`));
  }

  #end(): void {
    this.#ended = true;
    clearInterval(this.#timer);
    clearTimeout(this.#deadline);
  }
}
