import { assert, assertEquals } from "../support/assert.ts";
import { breakable, startJob, startReplica, StepKind, testOverStores, until, untilState } from "./scene.ts";

testOverStores(
  "A replica that loses the store stops its job before another goes on with it",
  async (connect) => {
    const steps = new StepKind();
    const { storage, cut } = breakable(await connect());
    const a = startReplica(storage, "a", { kinds: [steps.kind] });
    const b = startReplica(await connect(), "b", { kinds: [steps.kind] });
    const { id } = await startJob(a, { steps: 4 });
    steps.permit(2);
    await until(() => b.get(id), (found) => found?.record.checkpoint.cursor === "2");
    cut();
    const { replica } = (await until(() => b.get(id), (found) => found?.record.replica === "b"))!.record;
    assertEquals([replica, steps.atOnceMax], ["b", 1]);
    steps.permit(2);
    const done = await untilState(b, id, "done");
    assertEquals([steps.done, steps.atOnceMax, done.stuck], [[0, 1, 2, 3], 1, 0]);
    assertEquals((await b.lines(id, { limit: 10 }))!.lines, [0, 1, 2, 3].map((step) => ({ step })));
    await Promise.all([a.close(), b.close()]);
  },
);

testOverStores("A job whose lease another has taken is interrupted", async (connect) => {
  const steps = new StepKind();
  const storage = await connect();
  const a = startReplica(storage, "a", { kinds: [steps.kind], resume: false });
  const { id } = await startJob(a, { steps: 1 });
  const other = { replica: "b", hold: "x", job: "another", beat: 0, lifetime_ms: 600 };
  await storage.put("jobs/lease", new TextEncoder().encode(JSON.stringify(other)));
  const { error } = await untilState(a, id, "interrupted");
  assertEquals(error, "Cannot go on with the job: its lease is lost, another replica has taken over");
  await a.close();
});

testOverStores(
  "A lease that cannot be read does not keep an unfinished job from going on",
  async (connect) => {
    const steps = new StepKind();
    const storage = await connect();
    const { storage: lost, cut } = breakable(storage);
    const a = startReplica(lost, "a", { kinds: [steps.kind] });
    const { id } = await startJob(a, { steps: 1 });
    cut();
    await storage.put("jobs/lease", new TextEncoder().encode("{"));
    const b = startReplica(await connect(), "b", { kinds: [steps.kind] });
    assertEquals(await b.start({ kind: "gc", options: {}, startedBy: null }), { busy: true });
    await until(() => b.get(id), (found) => found?.record.replica === "b");
    steps.permit(1);
    await untilState(b, id, "done");
    await Promise.all([a.close(), b.close()]);
  },
);

testOverStores("A job whose replica is gone can be cancelled", async (connect) => {
  const steps = new StepKind();
  const { storage, cut } = breakable(await connect());
  const a = startReplica(storage, "a", { kinds: [steps.kind] });
  const b = startReplica(await connect(), "b", { kinds: [steps.kind] });
  const { id } = await startJob(a, { steps: 1 });
  cut();
  assertEquals(await b.cancel(id), true);
  await untilState(b, id, "cancelled");
  await until(() => b.running(), (running) => running === undefined);
  assertEquals(steps.done, []);
  await Promise.all([a.close(), b.close()]);
});

testOverStores("A job that gets no further does not go on by itself for ever", async (connect) => {
  const steps = new StepKind();
  const first = startReplica(await connect(), "replica 0", { kinds: [steps.kind] });
  const { id } = await startJob(first, { steps: 2 });
  await first.close();
  for (let n = 1; n <= 3; n++) {
    const next = startReplica(await connect(), `replica ${n}`, { kinds: [steps.kind] });
    await until(() => next.get(id), (found) => found?.record.replica === `replica ${n}`);
    await next.close();
  }
  const storage = await connect();
  const last = startReplica(storage, "replica 4", { kinds: [steps.kind] });
  await until(() => storage.list("jobs/unfinished/", { limit: 1 }), (marks) => marks.length === 0);
  const { state, replica, stuck } = (await last.get(id))!.record;
  assertEquals({ state, replica, stuck }, { state: "interrupted", replica: "replica 3", stuck: 3 });
  assert("job" in await last.resume(id));
  steps.permit(2);
  await untilState(last, id, "done");
  await last.close();
});
