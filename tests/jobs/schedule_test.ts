import { Schedule } from "../../server/jobs/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { startJob, startReplica, StepKind, testOverStores, until, untilState } from "./scene.ts";

const EVERY_SECOND = { patterns: { gc: "* * * * * *" }, timezone: "UTC" };

testOverStores("Each time of a schedule is served once over two replicas", async (connect) => {
  const steps = new StepKind();
  steps.permit(1_000);
  const names = ["a", "b"];
  const replicas = await Promise.all(
    names.map(async (name) => startReplica(await connect(), name, { kinds: [steps.kind] })),
  );
  const times = replicas.map(() => [] as number[]);
  const schedules = replicas.map((jobs, index) =>
    new Schedule((kind, timeMs) => {
      times[index]!.push(timeMs);
      jobs.due(kind, timeMs);
    })
  );
  for (const schedule of schedules) schedule.replace(EVERY_SECOND);
  await until(() => times.every((list) => list.length >= 4), (isEnough) => isEnough);
  for (const schedule of schedules) schedule.close();
  const all = new Set(times.flat());
  const storage = await connect();
  const last = String(Math.max(...all));
  const lastServed = async () => new TextDecoder().decode((await storage.get("jobs/ticks/gc"))?.bytes);
  await until(lastServed, (text) => text === last);
  const jobs = await until(
    async () => (await replicas[0]!.list({ limit: 100 })).entries,
    (list) => list.every(({ state }) => state === "done"),
  );
  // On a machine that is busy one time may take the place of the one before.
  assert(jobs.length <= all.size && jobs.length >= 2, `${jobs.length} jobs for ${all.size} times`);
  assertEquals([...all].every((timeMs) => timeMs % 1_000 === 0), true);
  assertEquals(jobs.every(({ startedBy }) => startedBy === null), true);
  await Promise.all(replicas.map((replica) => replica.close()));
});

testOverStores("A time that comes while a job runs waits for its end", async (connect) => {
  const [gc, scrub] = [new StepKind("gc"), new StepKind("scrub")];
  const kinds = [gc.kind, scrub.kind];
  const a = startReplica(await connect(), "a", { kinds });
  const b = startReplica(await connect(), "b", { kinds });
  const { id } = await startJob(a, { steps: 1 });
  const timeMs = Date.now();
  for (const jobs of [a, b]) jobs.due("scrub", timeMs);
  scrub.permit(2);
  assertEquals((await b.list({ limit: 10 })).entries.map(({ kind }) => kind), ["gc"]);
  gc.permit(1);
  await untilState(b, id, "done");
  await until(() => scrub.done.length, (count) => count === 1);
  // The next time is another one: had this one been served twice, it would have been before.
  for (const jobs of [a, b]) jobs.due("scrub", timeMs + 1);
  await until(() => scrub.done.length, (count) => count === 2);
  const list = await until(
    async () => (await a.list({ limit: 10 })).entries,
    (list) => list.length === 3 && list.every(({ state }) => state === "done"),
  );
  assertEquals(list.map(({ kind }) => kind), ["scrub", "scrub", "gc"]);
  await Promise.all([a.close(), b.close()]);
});

Deno.test("A schedule goes by the patterns that it was given last", async () => {
  const due: string[] = [];
  const schedule = new Schedule((kind) => due.push(kind));
  schedule.replace(EVERY_SECOND);
  await until(() => due.length, (count) => count >= 1);
  schedule.replace({ patterns: { scrub: "* * * * * *" }, timezone: "Europe/Berlin" });
  const before = due.length;
  await until(() => due.length, (count) => count >= before + 2);
  schedule.close();
  assert(due.slice(before).every((kind) => kind === "scrub"), due.join());
});
