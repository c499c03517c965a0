import type { Storage } from "../../plugins/contract/storage.ts";
import { type AuditEntry, type AuditEvent, AuditIds, timeOfId } from "./audit_event.ts";
import { formatEvents, tidyEvents, type TidyLimits } from "./audit_objects.ts";
import { type AuditPage, type AuditQuery, searchEvents } from "./audit_search.ts";
import { Denials } from "./denials.ts";
import { auditHourPrefix, auditKey } from "./keys.ts";
import type { Log } from "./log.ts";

export type { AuditEntry, AuditEvent } from "./audit_event.ts";
export type { AuditPage, AuditQuery } from "./audit_search.ts";

/** How a trail is kept. */
export interface AuditTrailOptions {
  readonly log: Log;
  /** How long events are kept, and how many; asked whenever that matters. */
  readonly limits: () => TidyLimits;
}

/** How long an event may wait for others, in milliseconds. */
const FLUSH_AFTER_MS = 500;

const BATCH_BYTES_MAX = 2 * 1024 * 1024;
const QUEUE_BYTES_MAX = 16 * 1024 * 1024;
/** How often the denials and failures that are not told one by one are told as a number, in milliseconds. */
const UNTOLD_AFTER_MS = 60_000;
const TIDY_INTERVAL_MS = 3_600_000;

interface Queued {
  event: AuditEvent;
  bytes: number;
  /** Whether somebody waits until it is kept. */
  readonly isOwed: boolean;
}

/**
 * What was done, kept in the registry's store for all replicas to search. Events of a moment share an object, which is
 * written once. Each is a line of the log besides.
 */
export class AuditTrail {
  readonly #storage: Storage;
  readonly #options: AuditTrailOptions;
  readonly #ids = new AuditIds();
  readonly #tidying: ReturnType<typeof setInterval>;
  #queue: Queued[] = [];
  #bytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #written: Promise<void> = Promise.resolve();
  readonly #denials = new Denials();
  /** The denials and failures that still wait, by what is the same of them. */
  readonly #waiting = new Map<string, Queued>();
  #untoldTimer: ReturnType<typeof setTimeout> | undefined;

  /** Begins one. */
  constructor(storage: Storage, options: AuditTrailOptions) {
    this.#storage = storage;
    this.#options = options;
    this.#tidying = setInterval(() => void this.tidy(), TIDY_INTERVAL_MS);
    Deno.unrefTimer(this.#tidying);
  }

  /** Takes an event, to be kept within a second. */
  record(entry: AuditEntry): void {
    if (entry.outcome === "done") this.#add(entry, false);
    else this.#addBounded(entry);
  }

  /** Takes an event, and answers when it is kept. Never rejects: where it cannot be kept the log says so. */
  async keep(entry: AuditEntry): Promise<void> {
    this.#add(entry, true);
    await this.flush();
  }

  /** Keeps what waits. */
  flush(): Promise<void> {
    return this.#written = this.#written.then(() => this.#write());
  }

  /** The events that a query asks for, those that wait among them. */
  async search(query: AuditQuery): Promise<AuditPage> {
    await this.flush();
    return await searchEvents(this.#storage, query);
  }

  /** Forgets what is too old or too much, and joins small objects of hours that are over. */
  async tidy(nowMs: number = Date.now()): Promise<void> {
    try {
      await tidyEvents(this.#storage, { ...this.#options.limits(), nowMs });
    } catch (error) {
      this.#options.log.warn("Cannot tidy the audit log; will try again", {
        error: (error as Error).message,
      });
    }
  }

  /** Keeps what waits, and ends. */
  async close(): Promise<void> {
    clearInterval(this.#tidying);
    this.#tellUntold();
    await this.flush();
    clearTimeout(this.#timer);
  }

  #add(entry: AuditEntry, isOwed: boolean): Queued {
    const id = this.#ids.next();
    const event = { id, at: new Date(timeOfId(id)).toISOString(), ...entry };
    this.#options.log.info("Audit", { ...event });
    const queued = { event, bytes: JSON.stringify(event).length, isOwed };
    this.#queue.push(queued);
    this.#bytes += queued.bytes;
    if (this.#bytes > QUEUE_BYTES_MAX) this.#drop();
    this.#flushLater();
    return queued;
  }

  /** The same denial or failure again is one event with a count, and of very many only the number is told. */
  #addBounded(entry: AuditEntry): void {
    const { actor, action, target, outcome, detail } = entry;
    const key = JSON.stringify([actor, action, target, outcome, detail]);
    const known = this.#waiting.get(key);
    if (known) {
      const { count = 1 } = known.event.detail as { count?: number };
      known.event = { ...known.event, detail: { ...known.event.detail, count: count + 1 } };
    } else if (this.#denials.admits(entry, Date.now())) {
      this.#waiting.set(key, this.#add(entry, false));
    } else {
      this.#untoldTimer ??= setTimeout(() => this.#tellUntold(), UNTOLD_AFTER_MS);
    }
  }

  #tellUntold(): void {
    clearTimeout(this.#untoldTimer);
    this.#untoldTimer = undefined;
    for (const entry of this.#denials.takeUntold()) this.#add(entry, false);
  }

  /** Where the store has not taken anything for long, what nobody waits for goes first. */
  #drop(): void {
    const index = Math.max(0, this.#queue.findIndex(({ isOwed }) => !isOwed));
    const [dropped] = this.#queue.splice(index, 1);
    this.#bytes -= dropped!.bytes;
    this.#waiting.clear();
    this.#options.log.error("Lost an event of the audit log: too many wait for the store", {
      event: dropped!.event,
    });
  }

  #flushLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.flush();
    }, FLUSH_AFTER_MS);
  }

  async #write(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#takeBatch();
      const events = batch.map(({ event }) => event);
      try {
        await this.#storage.put(keyOf(events), formatEvents(events));
      } catch (error) {
        this.#queue = [...batch, ...this.#queue];
        this.#bytes += sizeOf(batch);
        this.#options.log.error("Cannot keep events of the audit log; will try again", {
          error: (error as Error).message,
          events: this.#queue.length,
        });
        return this.#flushLater();
      }
    }
  }

  /** The events that waited longest, of one hour and not too many. */
  #takeBatch(): Queued[] {
    this.#waiting.clear();
    const hour = hourOf(this.#queue[0]!);
    let bytes = 0;
    const end = this.#queue.findIndex((queued) =>
      hourOf(queued) !== hour || (bytes += queued.bytes) > BATCH_BYTES_MAX
    );
    const batch = this.#queue.splice(0, end < 0 ? this.#queue.length : Math.max(1, end));
    this.#bytes -= sizeOf(batch);
    return batch;
  }
}

function hourOf({ event }: Queued): string {
  return auditHourPrefix(timeOfId(event.id));
}

function sizeOf(batch: readonly Queued[]): number {
  return batch.reduce((sum, { bytes }) => sum + bytes, 0);
}

function keyOf(events: readonly AuditEvent[]): string {
  const [first, last] = [events[0]!.id, events.at(-1)!.id];
  return auditKey(timeOfId(first), { first, last, count: events.length });
}
