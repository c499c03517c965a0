import { assert, assertEquals } from "../support/assert.ts";
import {
  type ShownErrors,
  type ShownJob,
  type ShownLine,
  type SlowServer,
  SlowServers,
} from "./server_scene.ts";

async function startSlowJob(server: SlowServer, steps: number): Promise<string> {
  const { status, body } = await server.send("POST", "/jobs", { kind: "gc", options: { steps } });
  assertEquals(status, 202);
  return body.job;
}

/** The lines of a job: each step once, in order; answers the processes that did them, in order. */
async function workersOf(server: SlowServer, id: string, steps: number): Promise<number[]> {
  const { body: { lines } } = await server.send<{ readonly lines: readonly ShownLine[] }>(
    "GET",
    `/jobs/${id}/lines`,
  );
  assertEquals(lines.map(({ step }) => step), Array.from({ length: steps }, (_, step) => step));
  return [...new Set(lines.map(({ pid }) => pid))];
}

/** So many that a slow machine sees a job before it has ended. */
const STEPS = 300;

Deno.test("A job whose server is killed goes on when the server starts again", async () => {
  await using servers = await SlowServers.create();
  const first = await servers.start();
  const id = await startSlowJob(first, 200);
  const { progress } = await first.untilJob(id, ({ progress }) => (progress?.done ?? 0) > 20);
  await first.end("SIGKILL");
  const second = await servers.start();
  const before = (await second.send<ShownJob>("GET", `/jobs/${id}`)).body;
  assertEquals([before.state, before.progress!.done >= progress!.done], ["running", true]);
  const busy = await second.send<ShownErrors>("POST", "/jobs", { kind: "gc" });
  assertEquals([busy.status, busy.body.errors[0]!.detail], [409, { running: id }]);
  const done = await second.untilJob(id, ({ state }) => state === "done");
  assertEquals([done.report, done.lines, done.error], [{ counted: 200 }, 200, undefined]);
  assertEquals(await workersOf(second, id, 200), [first.pid, second.pid]);
});

Deno.test("A job whose server is killed goes on at another, which has run all the time", async () => {
  await using servers = await SlowServers.create();
  const [first, second] = await Promise.all([servers.start(), servers.start()]);
  const id = await startSlowJob(first, 200);
  const { replica } = await second.untilJob(id, ({ progress }) => (progress?.done ?? 0) > 20);
  await first.end("SIGKILL");
  const done = await second.untilJob(id, ({ state }) => state === "done");
  assert(done.replica !== replica);
  assertEquals(await workersOf(second, id, 200), [first.pid, second.pid]);
});

Deno.test("A server that stops in the middle of a job says that it was interrupted, and the next goes on", async () => {
  await using servers = await SlowServers.create();
  const first = await servers.start();
  const id = await startSlowJob(first, STEPS);
  await first.untilJob(id, ({ progress }) => (progress?.done ?? 0) > 10);
  assertEquals(await first.end("SIGTERM"), 0);
  const second = await servers.start();
  await second.untilJob(id, ({ state }) => state === "done");
  assertEquals(await workersOf(second, id, STEPS), [first.pid, second.pid]);
});

Deno.test("A job is cancelled from another server, and resumed there", async () => {
  await using servers = await SlowServers.create();
  const [first, second] = await Promise.all([servers.start(), servers.start()]);
  const id = await startSlowJob(first, STEPS);
  await second.untilJob(id, ({ progress }) => (progress?.done ?? 0) > 10);
  assertEquals(await second.send("POST", `/jobs/${id}/cancel`), { status: 202, body: { job: id } });
  await second.untilJob(id, ({ state }) => state === "cancelled");
  const resumed = await second.send("POST", `/jobs/${id}/resume`);
  assertEquals(resumed, { status: 202, body: { job: id } });
  await first.untilJob(id, ({ state }) => state === "done");
  assertEquals(await workersOf(first, id, STEPS), [first.pid, second.pid]);
});
