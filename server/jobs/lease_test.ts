import type { Storage } from "../../plugins/contract/storage.ts";
import { create } from "../../plugins/storage/memory/memory.ts";
import { breakable } from "../../tests/jobs/scene.ts";
import { assert, assertEquals } from "../../tests/support/assert.ts";
import { LEASE_KEY } from "./keys.ts";
import { Lease } from "./lease.ts";

const LIFETIME_MS = 1_000;

async function openStore() {
  return await create({});
}

function leaseOf(storage: Storage, replica: string): Lease {
  return new Lease(storage, { replica, lifetimeMs: () => LIFETIME_MS });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Looks until the lease is stale; answers how long that took. */
async function untilStale(lease: Lease): Promise<number> {
  const startedMs = performance.now();
  while ((await lease.look()).is !== "stale") await sleep(10);
  return performance.now() - startedMs;
}

Deno.test("A lease is held by one at a time, and free when it is released", async () => {
  const storage = await openStore();
  const [a, b] = [leaseOf(storage, "a"), leaseOf(storage, "b")];
  const holds = await Promise.all([a.acquire("one"), b.acquire("two")]);
  assertEquals(holds.map((hold) => hold !== undefined), [true, false]);
  assertEquals(await b.look(), { is: "held", job: "one" });
  await holds[0]!.release();
  assertEquals(await a.look(), { is: "free" });
  const hold = await b.acquire("two");
  assertEquals(await a.look(), { is: "held", job: "two" });
  await hold!.release();
});

Deno.test("A lease that is renewed stays, however long", async () => {
  const storage = await openStore();
  const hold = await leaseOf(storage, "a").acquire("one");
  const other = leaseOf(storage, "b");
  for (let waitedMs = 0; waitedMs < 3 * LIFETIME_MS; waitedMs += 50) {
    assertEquals(await other.look(), { is: "held", job: "one" });
    await sleep(50);
  }
  assertEquals(hold!.lost.aborted, false);
  await hold!.release();
});

Deno.test("A lease is stale once somebody has seen it unchanged for its lifetime, and has one heir", async () => {
  const storage = await openStore();
  const value = { replica: "gone", hold: "x", job: "one", beat: 7, lifetime_ms: LIFETIME_MS };
  await storage.put(LEASE_KEY, new TextEncoder().encode(JSON.stringify(value)));
  await sleep(LIFETIME_MS * 2);
  const [a, b] = [leaseOf(storage, "a"), leaseOf(storage, "b")];
  const waits = await Promise.all([untilStale(a), untilStale(b)]);
  for (const waitedMs of waits) assert(waitedMs >= LIFETIME_MS, `stale after ${waitedMs} ms`);
  const holds = await Promise.all([a.acquire("two"), b.acquire("three")]);
  assertEquals(holds.filter((hold) => hold).length, 1);
  await Promise.all(holds.map((hold) => hold?.release()));
});

Deno.test("A lease that cannot be read is stale after a lifetime too", async () => {
  const storage = await openStore();
  for (const text of ["", "{", "null", "[]", '{"lifetime_ms":"x","job":{}}']) {
    await storage.put(LEASE_KEY, new TextEncoder().encode(text));
    const lease = leaseOf(storage, "a");
    const seenMs = performance.now();
    assertEquals(await lease.look(), { is: "held", job: undefined });
    await untilStale(lease);
    assert(performance.now() - seenMs >= LIFETIME_MS);
    const hold = await lease.acquire("one");
    assert(hold !== undefined);
    await hold.release();
  }
});

Deno.test("Who cannot renew a lease loses it before anybody can take it", async () => {
  const storage = await openStore();
  const { storage: own, cut } = breakable(storage);
  const hold = await leaseOf(own, "a").acquire("one");
  const other = leaseOf(storage, "b");
  assertEquals(await other.look(), { is: "held", job: "one" });
  cut();
  await untilStale(other);
  assertEquals(hold!.lost.aborted, true);
  assertEquals(
    hold!.lost.reason.message,
    "Cannot go on with the job: its lease is lost, it could not be renewed in time",
  );
});

Deno.test("Who finds another in its place loses the lease, and leaves the other's alone", async () => {
  const storage = await openStore();
  const hold = await leaseOf(storage, "a").acquire("one");
  const taken = { replica: "b", hold: "y", job: "two", beat: 0, lifetime_ms: LIFETIME_MS };
  await storage.put(LEASE_KEY, new TextEncoder().encode(JSON.stringify(taken)));
  await hold!.renew();
  assertEquals(
    hold!.lost.reason.message,
    "Cannot go on with the job: its lease is lost, another replica has taken over",
  );
  await hold!.release();
  assertEquals(JSON.parse(new TextDecoder().decode((await storage.get(LEASE_KEY))!.bytes)), taken);
});
