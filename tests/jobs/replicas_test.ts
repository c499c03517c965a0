import { assert, assertEquals } from "../support/assert.ts";
import { startJob, startReplica, StepKind, testOverStores, until, untilState } from "./scene.ts";

testOverStores("A job runs to its end, with progress, lines and a report", async (connect) => {
  const steps = new StepKind();
  const jobs = startReplica(await connect(), "a", { kinds: [steps.kind] });
  const other = startReplica(await connect(), "b", { kinds: [] });
  const { id } = await startJob(jobs, { steps: 3 });
  steps.permit(2);
  const halfway = await until(() => other.get(id), (found) => found?.record.progress?.done === 2);
  assertEquals(halfway!.record.state, "running");
  assertEquals(halfway!.record.progress, { phase: "count", done: 2, total: 3, unit: "steps" });
  assertEquals(await other.lines(id, { limit: 10 }), { lines: [{ step: 0 }, { step: 1 }] });
  assertEquals([await jobs.running(), await other.running()], [id, id]);
  steps.permit(1);
  const { endedAtMs, startedAtMs, ...record } = await untilState(other, id, "done");
  assert(endedAtMs! >= startedAtMs);
  assertEquals(record, {
    id,
    kind: "gc",
    options: { steps: 3 },
    startedBy: { id: "alice", username: "alice" },
    state: "done",
    replica: "a",
    progress: { phase: "count", done: 3, total: 3, unit: "steps" },
    lines: 3,
    checkpoint: { cursor: "3", lines: 3 },
    stuck: 0,
  });
  assertEquals((await other.get(id))!.report, { counted: 3 });
  await until(() => other.running(), (running) => running === undefined);
  await Promise.all([jobs.close(), other.close()]);
});

testOverStores("Of many starts on two replicas one at a time succeeds", async (connect) => {
  const steps = new StepKind();
  const replicas = [
    startReplica(await connect(), "a", { kinds: [steps.kind] }),
    startReplica(await connect(), "b", { kinds: [steps.kind] }),
  ];
  const order = { kind: "gc", options: { steps: 1 }, startedBy: null };
  for (let round = 0; round < 5; round++) {
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, index) => replicas[index % 2]!.start(order)),
    );
    const started = results.flatMap((result) => "job" in result ? [result.job.id] : []);
    assertEquals(started.length, 1);
    assertEquals(results.filter((result) => "busy" in result).length, 9);
    assertEquals(await replicas[round % 2]!.start(order), { busy: true, running: started[0] });
    steps.permit(1);
    await untilState(replicas[0]!, started[0]!, "done");
  }
  assertEquals(steps.atOnceMax, 1);
  await Promise.all(replicas.map((jobs) => jobs.close()));
});

testOverStores(
  "A job is cancelled from another replica, and goes on when it is asked to",
  async (connect) => {
    const steps = new StepKind();
    const a = startReplica(await connect(), "a", { kinds: [steps.kind] });
    const b = startReplica(await connect(), "b", { kinds: [steps.kind] });
    const { id } = await startJob(a, { steps: 4 });
    steps.permit(2);
    await until(() => steps.done.length, (count) => count === 2);
    assertEquals(await b.cancel(id), true);
    assertEquals((await untilState(b, id, "cancelled")).checkpoint, { cursor: "2", lines: 2 });
    await until(() => b.cancel(id), (asked) => asked === false);
    assertEquals(await b.cancel("20260807t101530123z-00000000"), undefined);
    const resumed = await b.resume(id);
    assert("job" in resumed);
    assertEquals([resumed.job.state, resumed.job.replica], ["running", "b"]);
    steps.permit(2);
    await untilState(a, id, "done");
    assertEquals(steps.done, [0, 1, 2, 3]);
    assertEquals((await a.lines(id, { limit: 10 }))!.lines, steps.done.map((step) => ({ step })));
    assertEquals(await a.resume(id), { problem: "the job is done" });
    await Promise.all([a.close(), b.close()]);
  },
);

testOverStores("A job that a clean stop interrupts goes on where another replica is", async (connect) => {
  const steps = new StepKind();
  const a = startReplica(await connect(), "a", { kinds: [steps.kind] });
  const { id } = await startJob(a, { steps: 4 });
  steps.permit(2);
  await until(() => steps.done.length, (count) => count === 2);
  await a.close();
  const interrupted = (await a.get(id))!.record;
  assertEquals([interrupted.state, interrupted.error], ["interrupted", "The server stopped"]);
  assertEquals(interrupted.checkpoint, { cursor: "2", lines: 2 });
  const b = startReplica(await connect(), "b", { kinds: [steps.kind] });
  steps.permit(2);
  const done = await untilState(b, id, "done");
  assertEquals([steps.done, done.replica, done.error], [[0, 1, 2, 3], "b", undefined]);
  await b.close();
});

testOverStores("An interrupted job stays so where it shall not go on by itself", async (connect) => {
  const steps = new StepKind();
  const storage = await connect();
  const a = startReplica(storage, "a", { kinds: [steps.kind] });
  const { id } = await startJob(a, { steps: 2 });
  await a.close();
  const b = startReplica(await connect(), "b", { kinds: [steps.kind], resume: false });
  await until(() => storage.list("jobs/unfinished/", { limit: 1 }), (marks) => marks.length === 0);
  assertEquals((await b.get(id))!.record.state, "interrupted");
  assert("job" in await b.resume(id));
  steps.permit(2);
  await untilState(b, id, "done");
  await b.close();
});

testOverStores("A job that fails says why, and the next one can start", async (connect) => {
  const steps = new StepKind();
  const jobs = startReplica(await connect(), "a", { kinds: [steps.kind] });
  const { id } = await startJob(jobs, { steps: 1, fail: "Cannot count: no fingers" });
  steps.permit(1);
  assertEquals((await untilState(jobs, id, "failed")).error, "Cannot count: no fingers");
  steps.permit(1);
  await untilState(jobs, (await startJob(jobs)).id, "done");
  await jobs.close();
});

testOverStores("What cannot be started is refused", async (connect) => {
  const jobs = startReplica(await connect(), "a", { kinds: [new StepKind().kind] });
  const start = (kind: string, options = {}) => jobs.start({ kind, options, startedBy: null });
  assertEquals(await start("nothing"), { problem: "there is no such kind, only gc" });
  assertEquals(await start("gc", { stepz: 1 }), { problem: 'unknown option "stepz"' });
  assertEquals(await start("gc", { steps: "1" }), { problem: "option steps: it does not fit" });
  assertEquals(await start("gc", { constructor: 1 }), { problem: 'unknown option "constructor"' });
  assertEquals(await jobs.resume("../lease"), { unknown: true });
  assertEquals((await jobs.list({ limit: 10 })).entries, []);
  await jobs.close();
});

testOverStores("Jobs are listed newest first, and only so many are kept", async (connect) => {
  const steps = new StepKind();
  const storage = await connect();
  const jobs = startReplica(storage, "a", { kinds: [steps.kind], keep: 3 });
  const ids: string[] = [];
  for (let n = 0; n < 5; n++) {
    const { id } = await startJob(jobs);
    ids.unshift(id);
    steps.permit(1);
    await untilState(jobs, id, "done");
  }
  const list = async (page: { limit: number; last?: string }) => {
    const { entries, more } = await jobs.list(page);
    return [entries.map(({ id }) => id), more];
  };
  await until(() => list({ limit: 10 }), ([found]) => (found as string[]).length === 3);
  assertEquals(await list({ limit: 2 }), [ids.slice(0, 2), true]);
  assertEquals(await list({ limit: 2, last: ids[1]! }), [[ids[2]], false]);
  const keys = await until(() => storage.list("jobs/", { limit: 100 }), (keys) => keys.length <= 9);
  assertEquals(
    keys.filter((key) => ids.slice(3).some((id) => key.includes(id))),
    [],
  );
  await jobs.close();
});
