import type { Storage } from "../../plugins/contract/storage.ts";
import { type AuditEvent, idFloor, timeOfId } from "./audit_event.ts";
import { AUDIT_PREFIX, type AuditBatch, auditHourPrefix, auditKey, parseAuditKey } from "./keys.ts";

/** How much is kept. */
export interface TidyLimits {
  /** For how long, in milliseconds. */
  readonly keepMs: number;
  /** How many events. */
  readonly eventsMax: number;
}

const LIST_PAGE = 1_000;

/** So many objects with fewer events than that are joined. */
const JOIN_LEAST = 8;
const SMALL_MAX = 2_000;
const JOIN_BYTES_MAX = 4 * 1024 * 1024;

/** Events as the bytes of an object. */
export function formatEvents(events: readonly AuditEvent[]): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(events.map((event) => JSON.stringify(event) + "\n").join(""));
}

/** The events of an object; none where it is gone: another replica may have joined it to others. */
export async function readBatch(storage: Storage, { key }: AuditBatch): Promise<AuditEvent[]> {
  const found = await storage.get(key);
  if (!found) return [];
  const lines = new TextDecoder().decode(found.bytes).split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as AuditEvent);
}

/** The objects whose keys begin with `prefix`, in the order of their keys. */
export async function* listBatches(storage: Storage, prefix: string): AsyncGenerator<AuditBatch> {
  let after = prefix;
  for (;;) {
    const keys = await storage.list(prefix, { after, limit: LIST_PAGE });
    for (const key of keys) {
      const batch = parseAuditKey(key);
      if (batch) yield batch;
    }
    if (keys.length < LIST_PAGE) return;
    after = keys.at(-1)!;
  }
}

/** Deletes what is too old or too much, the oldest first, by exact keys; joins the objects of hours that are over. */
export async function tidyEvents(
  storage: Storage,
  { keepMs, eventsMax, nowMs }: TidyLimits & { readonly nowMs: number },
): Promise<void> {
  const oldest = idFloor(nowMs - keepMs);
  let total = 0;
  let hour: AuditBatch[] = [];
  for await (const batch of listBatches(storage, AUDIT_PREFIX)) {
    if (batch.last < oldest) {
      await storage.delete(batch.key);
      continue;
    }
    total += batch.count;
    if (hour.length > 0 && hourOf(hour[0]!) !== hourOf(batch)) {
      await joinHour(storage, hour);
      hour = [];
    }
    hour.push(batch);
  }
  if (hour.length > 0 && hourOf(hour[0]!) !== auditHourPrefix(nowMs)) await joinHour(storage, hour);
  if (total > eventsMax) await deleteOldest(storage, total - eventsMax);
}

async function deleteOldest(storage: Storage, excess: number): Promise<void> {
  for await (const { key, count } of listBatches(storage, AUDIT_PREFIX)) {
    if ((excess -= count) < 0) return;
    await storage.delete(key);
  }
}

/** Writes the events of several objects as one, then deletes those: whoever reads in between sees some twice, none never. */
async function joinHour(storage: Storage, batches: readonly AuditBatch[]): Promise<void> {
  const small = batches.filter(({ count }) => count < SMALL_MAX);
  if (small.length < JOIN_LEAST) return;
  let joined = new Map<string, AuditEvent>();
  let sources: AuditBatch[] = [];
  let bytes = 0;
  for (const batch of small) {
    const events = await readBatch(storage, batch);
    bytes += formatEvents(events).byteLength;
    if (bytes > JOIN_BYTES_MAX && sources.length > 0) {
      await replace(storage, sources, [...joined.values()]);
      [joined, sources, bytes] = [new Map(), [], 0];
    }
    sources.push(batch);
    for (const event of events) joined.set(event.id, event);
  }
  await replace(storage, sources, [...joined.values()]);
}

async function replace(
  storage: Storage,
  sources: readonly AuditBatch[],
  events: readonly AuditEvent[],
): Promise<void> {
  if (sources.length < 2 || events.length === 0) return;
  const sorted = events.toSorted((a, b) => a.id < b.id ? -1 : 1);
  const [first, last] = [sorted[0]!.id, sorted.at(-1)!.id];
  const target = auditKey(timeOfId(first), { first, last, count: sorted.length });
  await storage.put(target, formatEvents(sorted));
  for (const { key } of sources) if (key !== target) await storage.delete(key);
}

function hourOf({ first }: AuditBatch): string {
  return auditHourPrefix(timeOfId(first));
}
