import { create } from "../../plugins/storage/memory/memory.ts";
import { PluginError } from "../../plugins/contract/error.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { assert, assertEquals } from "../../tests/support/assert.ts";
import { AuditTrail } from "./audit.ts";
import { type AuditEntry, type AuditEvent, idFloor } from "./audit_event.ts";
import { formatEvents } from "./audit_objects.ts";
import { DENIALS_MAX } from "./denials.ts";
import { auditKey } from "./keys.ts";
import { createLog } from "./log.ts";

const KEPT = { keepMs: 90 * 86_400_000, eventsMax: 1_000_000 };
const HOUR_MS = 3_600_000;

interface Stage extends AsyncDisposable {
  readonly storage: Storage;
  readonly trail: AuditTrail;
  readonly lines: string[];
}

async function stage(
  limits = KEPT,
  wrap: (storage: Storage) => Storage = (storage) => storage,
): Promise<Stage> {
  const storage = wrap(await create({}));
  const lines: string[] = [];
  const trail = new AuditTrail(storage, {
    log: createLog("debug", (line) => lines.push(line)),
    limits: () => limits,
  });
  return { storage, trail, lines, [Symbol.asyncDispose]: () => trail.close() };
}

function entry(target: string, facts: Partial<AuditEntry> = {}): AuditEntry {
  const actor = { id: "id-ann", username: "ann", address: "192.0.2.1" };
  return { actor, action: "put-manifest", target, outcome: "done", detail: {}, ...facts };
}

function targets(events: readonly AuditEvent[]): string[] {
  return events.map(({ target }) => target);
}

/** An event of a moment, as another replica may have kept it. */
function eventAt(ms: number, target: string, mark = "abcdef0000"): AuditEvent {
  return { id: `${idFloor(ms)}${mark}`, at: new Date(ms).toISOString(), ...entry(target) };
}

async function keepObject(storage: Storage, ...events: readonly AuditEvent[]): Promise<string> {
  const [first, last] = [events[0]!, events.at(-1)!];
  const key = auditKey(Date.parse(first.at), { first: first.id, last: last.id, count: events.length });
  await storage.put(key, formatEvents(events));
  return key;
}

Deno.test("AuditTrail keeps events of a moment in one object", async () => {
  await using found = await stage();
  for (const target of ["a", "b", "c"]) found.trail.record(entry(target));
  assertEquals(await found.storage.list("", { limit: 10 }), []);
  await found.trail.flush();
  assertEquals((await found.storage.list("audit/", { limit: 10 })).length, 1);
  const { events, next } = await found.trail.search({ limit: 10 });
  assertEquals([targets(events), next], [["c", "b", "a"], undefined]);
});

Deno.test("AuditTrail keeps what is recorded soon, whoever flushes", async () => {
  await using found = await stage();
  const startedAt = performance.now();
  found.trail.record(entry("a"));
  while ((await found.storage.list("audit/", { limit: 1 })).length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert(performance.now() - startedAt < 3_000);
});

Deno.test("AuditTrail.keep() answers when the event is in the store", async () => {
  await using found = await stage();
  await found.trail.keep(entry("a"));
  assertEquals((await found.storage.list("audit/", { limit: 10 })).length, 1);
});

Deno.test("AuditTrail writes each event to the log, whatever its texts are", async () => {
  await using found = await stage();
  found.trail.record(entry("a\u001b[31m\u202e\n"));
  const { level, message, target, outcome } = JSON.parse(found.lines[0]!);
  assertEquals([level, message, target, outcome], ["info", "Audit", "a\u001b[31m\u202e\n", "done"]);
  assertEquals(["\u001b", "\u202e", "\n"].map((mark) => found.lines[0]!.trimEnd().includes(mark)), [
    false,
    false,
    false,
  ]);
  const { events } = await found.trail.search({ limit: 1 });
  assertEquals(targets(events), ["a\u001b[31m\u202e\n"]);
});

Deno.test("AuditTrail goes on when the store fails, and keeps what waited", async () => {
  let fails = true;
  await using found = await stage(KEPT, (storage) => ({
    ...wrapped(storage),
    put: (...args) =>
      fails ? Promise.reject(new PluginError("unavailable", "the store is down")) : storage.put(...args),
  }));
  await found.trail.keep(entry("a"));
  await found.trail.keep(entry("b"));
  const errors = found.lines.map((line) => JSON.parse(line)).filter(({ level }) => level === "error");
  assertEquals(errors.map(({ message, error, events }) => [message, error, events]), [
    ["Cannot keep events of the audit log; will try again", "the store is down", 1],
    ["Cannot keep events of the audit log; will try again", "the store is down", 2],
  ]);
  fails = false;
  assertEquals(targets((await found.trail.search({ limit: 9 })).events), ["b", "a"]);
});

Deno.test("AuditTrail loses pushes before changes of the administration, and says so", async () => {
  let fails = true;
  await using found = await stage(KEPT, (storage) => ({
    ...wrapped(storage),
    put: (...args) => fails ? Promise.reject(new PluginError("unavailable", "down")) : storage.put(...args),
  }));
  await found.trail.keep(entry("owed"));
  const detail = { text: "x".repeat(1_000_000) };
  for (let index = 0; index < 20; index++) found.trail.record(entry(`push ${index}`, { detail }));
  const lost = found.lines.map((line) => JSON.parse(line)).filter(({ message }) =>
    message.startsWith("Lost")
  );
  assertEquals(lost.map(({ event }) => event.target), ["push 0", "push 1", "push 2", "push 3"]);
  fails = false;
  const { events } = await found.trail.search({ limit: 100 });
  assertEquals([events.length, events.at(-1)!.target], [17, "owed"]);
});

Deno.test("AuditTrail counts the same refusal instead of repeating it", async () => {
  await using found = await stage();
  const refusal = entry("", { action: "sign-in", outcome: "denied", detail: { reason: "wrong" } });
  for (let index = 0; index < 5; index++) found.trail.record(refusal);
  found.trail.record({ ...refusal, detail: { reason: "unknown" } });
  const { events } = await found.trail.search({ limit: 10 });
  assertEquals(events.map(({ detail }) => detail), [{ reason: "unknown" }, { reason: "wrong", count: 5 }]);
});

Deno.test("AuditTrail tells of a flood of denials by their number, and of changes all the same", async () => {
  const found = await stage();
  found.trail.record(entry("done"));
  for (let index = 0; index < 5_000; index++) {
    found.trail.record(entry(`tokens/${index}`, { action: "admin.revoke-token", outcome: "denied" }));
  }
  found.trail.record(entry("done too"));
  await found.trail.close();
  const { events } = await found.trail.search({ limit: 10_000 });
  assertEquals([events.length, targets(events.filter(({ outcome }) => outcome === "done"))], [
    DENIALS_MAX + 3,
    ["done too", "done"],
  ]);
  const [{ action, detail }] = events as [AuditEvent];
  assertEquals([action, detail], ["denials", { count: 5_000 - DENIALS_MAX }]);
});

Deno.test("AuditTrail tells of one actor's flood of failures by their number, and of others' failures all the same", async () => {
  const found = await stage();
  const bob = { id: "id-bob", username: "bob", address: "192.0.2.2" };
  for (let index = 0; index < 3_000; index++) {
    found.trail.record(entry(`me/tokens/${index}`, { action: "own-tokens", outcome: "failed" }));
  }
  found.trail.record(entry("roles/x", { actor: bob, action: "admin.put-role", outcome: "failed" }));
  await found.trail.close();
  const { events } = await found.trail.search({ limit: 10_000 });
  const [last, before] = events as [AuditEvent, AuditEvent];
  assertEquals([events.length, before.actor, before.target], [DENIALS_MAX + 2, bob, "roles/x"]);
  const actor = { id: "id-ann", username: "ann", address: "" };
  const { id: _, at: __, ...told } = last;
  const detail = { count: 3_000 - DENIALS_MAX };
  assertEquals(told, { actor, action: "failures", target: "", outcome: "failed", detail });
});

Deno.test("AuditTrail.search() finds by actor, action, target and outcome", async () => {
  await using found = await stage();
  const bob = { id: "id-bob", username: "bob", address: "192.0.2.2" };
  found.trail.record(entry("team/app:v1"));
  found.trail.record(entry("team/app:v2", { actor: bob, outcome: "denied" }));
  found.trail.record(entry("tokens/1", { actor: bob, action: "admin.revoke-token" }));
  const find = async (query: object) => targets((await found.trail.search({ limit: 9, ...query })).events);
  assertEquals(await find({ actor: "bob" }), ["tokens/1", "team/app:v2"]);
  assertEquals(await find({ actor: "id-ann" }), ["team/app:v1"]);
  assertEquals(await find({ action: "admin.*" }), ["tokens/1"]);
  assertEquals(await find({ action: "admin" }), []);
  assertEquals(await find({ target: "team/*" }), ["team/app:v2", "team/app:v1"]);
  assertEquals(await find({ target: "team/app:v1" }), ["team/app:v1"]);
  assertEquals(await find({ outcome: "denied" }), ["team/app:v2"]);
  assertEquals(await find({ actor: "bob", outcome: "done" }), ["tokens/1"]);
});

Deno.test("AuditTrail.search() pages through objects of several replicas that overlap, each event once", async () => {
  await using found = await stage();
  const nowMs = Date.now();
  const times = Array.from({ length: 300 }, (_, index) => nowMs - (300 - index) * 60_000);
  const replicas = ["aaaaaa0000", "bbbbbb0000", "cccccc0000"];
  const expected: string[] = [];
  for (const mark of replicas) {
    for (let index = 0; index < times.length; index += 7) {
      const events = times.slice(index, index + 7)
        .map((ms) => eventAt(ms, `${ms} ${mark}`, mark));
      const hour = (event: AuditEvent) => event.at.slice(0, 13);
      for (const part of Object.values(Object.groupBy(events, hour))) {
        await keepObject(found.storage, ...part!);
      }
      expected.push(...targets(events));
    }
  }
  expected.sort().reverse();
  for (const limit of [1, 10, 64, 10_000]) {
    assertEquals(
      await readAll(found.trail, { limit }),
      expected,
      `pages of ${limit}`,
    );
  }
  const upward = await readAll(found.trail, { limit: 50 }, idFloor(0));
  assertEquals(upward, expected.toReversed());
  const since = times[100]!;
  const until = times[200]!;
  const within = expected.filter((target) =>
    Number(target.split(" ")[0]) >= since && Number(target.split(" ")[0]) < until
  );
  assertEquals(await readAll(found.trail, { limit: 33, sinceMs: since, untilMs: until }), within);
});

Deno.test("AuditTrail.search() ends early where much must be read to find little, and says where to go on", async () => {
  await using found = await stage();
  const startMs = Date.now() - HOUR_MS * 5;
  for (let index = 0; index < 2_500; index++) {
    await keepObject(found.storage, eventAt(startMs + index * 1_000, index === 10 ? "wanted" : "other"));
  }
  const reads: number[] = [];
  let last: string | undefined;
  const got: string[] = [];
  do {
    const page = await found.trail.search({
      limit: 10,
      target: "wanted",
      ...(last !== undefined && { last }),
    });
    reads.push(page.events.length);
    got.push(...targets(page.events));
    last = page.next;
  } while (last !== undefined);
  assertEquals([got, reads], [["wanted"], [0, 0, 1]]);
});

Deno.test("AuditTrail.search() after an event gives none that another could still come before", async () => {
  await using found = await stage();
  await keepObject(found.storage, eventAt(Date.now() - 10_000, "old"));
  await found.trail.keep(entry("new"));
  const seen = await found.trail.search({ limit: 9, after: idFloor(0) });
  assertEquals(targets(seen.events), ["old"]);
});

Deno.test("AuditTrail.tidy() forgets what is too old, and no more", async () => {
  await using found = await stage({ keepMs: HOUR_MS * 2, eventsMax: 1_000 });
  const nowMs = Date.now();
  await keepObject(found.storage, eventAt(nowMs - HOUR_MS * 3, "old"));
  await keepObject(found.storage, eventAt(nowMs - HOUR_MS, "young"));
  await found.trail.tidy(nowMs);
  assertEquals(targets((await found.trail.search({ limit: 9 })).events), ["young"]);
});

Deno.test("AuditTrail.tidy() forgets the oldest where there are too many", async () => {
  await using found = await stage({ keepMs: KEPT.keepMs, eventsMax: 20 });
  const nowMs = Date.now();
  for (let index = 0; index < 6; index++) {
    const events = [0, 1, 2, 3, 4].map((second) =>
      eventAt(nowMs - HOUR_MS * (6 - index) + second, `${index}`, `abcdef000${second}`)
    );
    for (const part of Object.values(Object.groupBy(events, ({ at }) => at.slice(0, 13)))) {
      await keepObject(found.storage, ...part!);
    }
  }
  await found.trail.tidy(nowMs);
  const left = targets((await found.trail.search({ limit: 99 })).events);
  assertEquals([left.length, new Set(left)], [20, new Set(["5", "4", "3", "2"])]);
});

Deno.test("AuditTrail.tidy() joins small objects of hours that are over, and keeps every event", async () => {
  await using found = await stage();
  const hourMs = Date.now() - Date.now() % HOUR_MS - HOUR_MS * 2;
  for (let index = 0; index < 100; index++) {
    await keepObject(found.storage, eventAt(hourMs + index * 1_000, `${index}`));
  }
  const before = await found.trail.search({ limit: 1_000 });
  // A replica that died in the middle of it left the joined object beside its sources.
  await keepObject(found.storage, ...before.events.slice(50).toReversed());
  await found.trail.tidy();
  assertEquals((await found.storage.list("audit/", { limit: 10 })).length, 1);
  assertEquals(await found.trail.search({ limit: 1_000 }), before);
  await found.trail.tidy();
  assertEquals(await found.trail.search({ limit: 1_000 }), before);
});

/** All targets that a search finds, page by page; `after`: upward from there. */
async function readAll(
  trail: AuditTrail,
  query: { readonly limit: number; readonly sinceMs?: number; readonly untilMs?: number },
  after?: string,
): Promise<string[]> {
  const found: string[] = [];
  let at: string | undefined = after;
  for (;;) {
    const from = at === undefined ? {} : after === undefined ? { last: at } : { after: at };
    const { events, next } = await trail.search({ ...query, ...from });
    found.push(...targets(events));
    if (next === undefined) return found;
    assert(events.length <= query.limit);
    at = next;
  }
}

/** The methods of a storage, apart from it. */
function wrapped(storage: Storage): Storage {
  return {
    stat: (key) => storage.stat(key),
    get: (key) => storage.get(key),
    open: (key, span) => storage.open(key, span),
    put: (key, bytes, condition) => storage.put(key, bytes, condition),
    append: (key, offset, body) => storage.append(key, offset, body),
    move: (from, to) => storage.move(from, to),
    delete: (key, condition) => storage.delete(key, condition),
    list: (prefix, page) => storage.list(prefix, page),
  };
}
