import type { Storage } from "../../plugins/contract/storage.ts";
import { type AuditEvent, type AuditOutcome, idBefore, idFloor, timeOfId } from "./audit_event.ts";
import { listBatches, readBatch } from "./audit_objects.ts";
import { AUDIT_PREFIX, type AuditBatch, auditHourPrefix } from "./keys.ts";

/** What to look for. Texts are compared whole; one that ends in `*` by what stands before it. */
export interface AuditQuery {
  /** At most so many events. */
  readonly limit: number;
  /** An id or a user name. */
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly target?: string | undefined;
  readonly outcome?: AuditOutcome | undefined;
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
  /** Only what came before this event: the next page. */
  readonly last?: string | undefined;
  /** Only what came after this event, and then the oldest first. */
  readonly after?: string | undefined;
}

/** Some of the events that were asked for. */
export interface AuditPage {
  /** The newest first; the oldest first where what came after an event was asked for. */
  readonly events: readonly AuditEvent[];
  /** Where to go on, where there may be more. A page may be empty and not the last. */
  readonly next?: string;
}

/** The ids that are looked at: from `low` on, and below `high`. */
interface Span {
  readonly low: string;
  readonly high: string;
}

const HOUR_MS = 3_600_000;

/** Objects that are read, and hours that are looked into, for one page. */
const READ_MAX = 1_000;

/** What replicas may still be writing. Whoever follows the newest events gets none that another could come before. */
const SETTLED_MS = 2_000;

/** Above every id. */
const TOP = "~";

/** A page of events. Its cost is bounded, whatever there is: where much must be looked at to find little, it ends early. */
export async function searchEvents(storage: Storage, query: AuditQuery): Promise<AuditPage> {
  const { sinceMs, untilMs, last, after } = query;
  const since = sinceMs === undefined ? "" : idFloor(sinceMs);
  const until = untilMs === undefined ? TOP : idFloor(untilMs);
  if (after !== undefined) {
    const settled = idFloor(Date.now() - SETTLED_MS);
    // What begins with `after` comes before it with this at its end.
    const low = `${after}${TOP}`;
    const span = { low: low > since ? low : since, high: least(until, settled) };
    return await walk(storage, query, { ...UPWARD, span });
  }
  return await walk(storage, query, { ...DOWNWARD, span: { low: since, high: least(until, last ?? TOP) } });
}

function least(a: string, b: string): string {
  return a < b ? a : b;
}

/** A direction to go in, over objects and over events. */
interface Way {
  /** Whether `a` comes before `b`. */
  readonly isBefore: (a: string, b: string) => boolean;
  /** The end of an object at which it is met. */
  readonly nearEnd: (batch: AuditBatch) => string;
  readonly stepMs: number;
  readonly hours: (storage: Storage, span: Span) => AsyncGenerator<number>;
}

const DOWNWARD: Way = {
  isBefore: (a, b) => a > b,
  nearEnd: ({ last }) => last,
  stepMs: -HOUR_MS,
  hours: hoursDown,
};

const UPWARD: Way = {
  isBefore: (a, b) => a < b,
  nearEnd: ({ first }) => first,
  stepMs: HOUR_MS,
  hours: hoursUp,
};

/** Reads objects in the order in which they are met, until no other can hold anything for this page. */
async function walk(
  storage: Storage,
  query: AuditQuery,
  { span, ...way }: Way & { readonly span: Span },
): Promise<AuditPage> {
  const { isBefore, nearEnd } = way;
  let found: AuditEvent[] = [];
  let reads = 0;
  const isFull = (edge: string) => found.length > query.limit && isBefore(found[query.limit]!.id, edge);
  for await (const hourMs of way.hours(storage, span)) {
    const edge = way.stepMs < 0 ? idFloor(hourMs + HOUR_MS) : idFloor(hourMs);
    if (isFull(edge)) break;
    if (reads++ >= READ_MAX) return cut(found, { query, way, edge, isRead: true });
    for (const batch of await batchesOf(storage, { hourMs, span, way })) {
      if (isFull(nearEnd(batch))) break;
      if (reads++ >= READ_MAX) return cut(found, { query, way, edge: nearEnd(batch), isRead: false });
      const events = await readBatch(storage, batch);
      const fitting = events.filter((event) => isWithin(event.id, span) && matches(event, query));
      found = merge(found, fitting, isBefore).slice(0, query.limit + 1);
    }
  }
  const events = found.slice(0, query.limit);
  const last = events.at(-1);
  return found.length > query.limit && last ? { events, next: last.id } : { events };
}

/** Where looking ended. */
interface Cut {
  readonly query: AuditQuery;
  readonly way: Way;
  readonly edge: string;
  /** Whether what is at the edge itself was looked at. */
  readonly isRead: boolean;
}

/** The page as far as it is certain: nothing that was not looked at can come before `edge`. */
function cut(found: readonly AuditEvent[], { query, way, edge, isRead }: Cut): AuditPage {
  const certain = found.filter(({ id }) => way.isBefore(id, edge)).slice(0, query.limit);
  if (certain.length === query.limit) return { events: certain, next: certain.at(-1)!.id };
  if (way.stepMs > 0) return { events: certain, next: idBefore(edge) };
  return { events: certain, next: isRead ? edge : `${edge}${TOP}` };
}

async function batchesOf(
  storage: Storage,
  { hourMs, span, way }: { readonly hourMs: number; readonly span: Span; readonly way: Way },
): Promise<AuditBatch[]> {
  const batches: AuditBatch[] = [];
  for await (const batch of listBatches(storage, auditHourPrefix(hourMs))) {
    if (batch.last >= span.low && batch.first < span.high) batches.push(batch);
  }
  return batches.sort((a, b) => way.isBefore(way.nearEnd(a), way.nearEnd(b)) ? -1 : 1);
}

/** Hours from the last one that there can be events of, down to the first one that there are. */
async function* hoursDown(storage: Storage, { low, high }: Span): AsyncGenerator<number> {
  const oldestMs = await oldestHour(storage);
  if (oldestMs === undefined) return;
  const endMs = Math.max(oldestMs, low === "" ? 0 : startOfHour(timeOfId(low)));
  // The clock of another replica may be ahead.
  const newestMs = startOfHour(Date.now() + HOUR_MS);
  const fromMs = high === TOP ? newestMs : Math.min(newestMs, startOfHour(timeOfId(high)));
  for (let ms = fromMs; ms >= endMs; ms -= HOUR_MS) yield ms;
}

async function* hoursUp(storage: Storage, { low, high }: Span): AsyncGenerator<number> {
  const oldestMs = await oldestHour(storage);
  if (oldestMs === undefined) return;
  const endMs = startOfHour(timeOfId(high));
  const fromMs = Math.max(oldestMs, low === "" ? 0 : startOfHour(timeOfId(low)));
  for (let ms = fromMs; ms <= endMs; ms += HOUR_MS) yield ms;
}

async function oldestHour(storage: Storage): Promise<number | undefined> {
  for await (const { first } of listBatches(storage, AUDIT_PREFIX)) return startOfHour(timeOfId(first));
  return undefined;
}

function startOfHour(ms: number): number {
  return ms - ms % HOUR_MS;
}

function isWithin(id: string, { low, high }: Span): boolean {
  return id >= low && id < high;
}

function matches(event: AuditEvent, { actor, action, target, outcome }: AuditQuery): boolean {
  const { id, username } = event.actor;
  return (actor === undefined || fits(actor, id ?? "") || fits(actor, username ?? "")) &&
    (action === undefined || fits(action, event.action)) &&
    (target === undefined || fits(target, event.target)) &&
    (outcome === undefined || outcome === event.outcome);
}

function fits(wanted: string, text: string): boolean {
  return wanted.endsWith("*") ? text.startsWith(wanted.slice(0, -1)) : text === wanted;
}

/** Two sorted lists as one, each event once. */
function merge(
  a: readonly AuditEvent[],
  b: readonly AuditEvent[],
  isBefore: Way["isBefore"],
): AuditEvent[] {
  const byId = new Map([...a, ...b].map((event) => [event.id, event]));
  return [...byId.values()].sort((x, y) => isBefore(x.id, y.id) ? -1 : 1);
}
