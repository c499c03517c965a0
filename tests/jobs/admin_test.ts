import { readConfig } from "../../server/config/mod.ts";
import { createLog } from "../../server/observe/log.ts";
import { createServer, type Server } from "../../server/server.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { StepKind, until } from "./scene.ts";

const CONNECTION = { clientAddress: "127.0.0.1", certificate: null };

/** A server over memory with a kind of jobs, and what it is asked. */
async function startServer(steps: StepKind, config = '[schedule]\ngc = "off"\n') {
  const folder = await Deno.makeTempDir({ prefix: "sreg-test-" });
  const read = async (text: string) => {
    await Deno.writeTextFile(`${folder}/sreg.toml`, `[storage.memory]\n${text}`);
    return await readConfig({ files: [`${folder}/sreg.toml`] });
  };
  const server: Server = await createServer(await read(config), createLog("error"), {
    kinds: () => [steps.kind],
  });
  const send = async (method: string, path: string, body?: unknown) => {
    const request = new Request(`http://registry.example/admin/v1${path}`, {
      method,
      ...(body !== undefined &&
        { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
    });
    const answer = await server.fetch(request, CONNECTION);
    return { status: answer.status, body: await answer.json() };
  };
  return {
    send,
    reload: async (text: string) => await server.replace(await read(text), () => {}),
    untilState: (id: string, state: string) =>
      until(async () => (await send("GET", `/jobs/${id}`)).body, (job) => job.state === state),
    async [Symbol.asyncDispose]() {
      await server.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

const UNKNOWN = {
  status: 404,
  body: { errors: [{ code: "UNSUPPORTED", message: "Cannot find the job: there is none with this id" }] },
};

function refusal(status: number, message: string) {
  return { status, body: { errors: [{ code: "UNSUPPORTED", message }] } };
}

Deno.test("The administration API starts, shows and cancels jobs", async (t) => {
  const steps = new StepKind();
  await using server = await startServer(steps);
  const { send } = server;
  let id = "";

  await t.step("a job starts, and is shown while it runs", async () => {
    const started = await send("POST", "/jobs", { kind: "gc", options: { steps: 3 } });
    id = started.body.job;
    assertEquals(started, { status: 202, body: { job: id } });
    steps.permit(1);
    const { started_at, replica, ...job } = await until(
      async () => (await send("GET", `/jobs/${id}`)).body,
      (job) => job.lines === 1,
    );
    assertEquals(job, {
      id,
      kind: "gc",
      options: { steps: 3 },
      state: "running",
      started_by: { id: null, username: null },
      progress: { phase: "count", done: 1, total: 3, unit: "steps" },
      lines: 1,
    });
    assertMatch(started_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assertMatch(replica, /.-[0-9a-f]{8}$/);
  });
  await t.step("another one does not", async () => {
    const { status, body } = await send("POST", "/jobs", { kind: "gc" });
    assertEquals([status, body.errors[0]], [409, {
      code: "UNSUPPORTED",
      message: `Cannot start the job: ${id} runs`,
      detail: { running: id },
    }]);
  });
  await t.step("it is cancelled, once", async () => {
    assertEquals(await send("POST", `/jobs/${id}/cancel`), { status: 202, body: { job: id } });
    const { ended_at, error } = await server.untilState(id, "cancelled");
    assertEquals([error, ended_at !== undefined], ["It was cancelled", true]);
    await until(() => send("POST", `/jobs/${id}/cancel`), ({ status }) => status === 409);
    assertEquals(
      await send("POST", `/jobs/${id}/cancel`),
      refusal(409, "Cannot cancel the job: it does not run"),
    );
  });
});

Deno.test("The administration API goes on with jobs, and shows what came of them", async (t) => {
  const steps = new StepKind();
  await using server = await startServer(steps);
  const { send } = server;
  const { body: { job: id } } = await send("POST", "/jobs", { kind: "gc", options: { steps: 3 } });

  await t.step("a cancelled job goes on where it was, to its report", async () => {
    steps.permit(1);
    await until(() => steps.done.length, (count) => count === 1);
    await send("POST", `/jobs/${id}/cancel`);
    await server.untilState(id, "cancelled");
    const resumed = await send("POST", `/jobs/${id}/resume`);
    assertEquals(resumed, { status: 202, body: { job: id } });
    steps.permit(2);
    assertEquals((await server.untilState(id, "done")).report, { counted: 3 });
    assertEquals(steps.done, [0, 1, 2]);
    assertEquals(
      await send("POST", `/jobs/${id}/resume`),
      refusal(409, "Cannot start the job: the job is done"),
    );
  });
  await t.step("its lines are read in pages", async () => {
    assertEquals((await send("GET", `/jobs/${id}/lines?n=2`)).body, {
      lines: [{ step: 0 }, { step: 1 }],
      next: "1",
    });
    assertEquals((await send("GET", `/jobs/${id}/lines?n=2&last=1`)).body, { lines: [{ step: 2 }] });
    assertEquals(
      await send("GET", `/jobs/${id}/lines?last=x`),
      refusal(400, "Cannot read last: expected the number of a line"),
    );
  });
  await t.step("the list has the newest first, without reports", async () => {
    const started = await send("POST", "/jobs", { kind: "gc" });
    const second = started.body.job;
    steps.permit(1);
    await server.untilState(second, "done");
    const first = await send("GET", "/jobs?n=1");
    assertEquals([first.body.jobs.map((job: { id: string }) => job.id), first.body.next], [[second], second]);
    const { report: _, ...shown } = (await send("GET", `/jobs/${id}`)).body;
    assertEquals((await send("GET", `/jobs?n=1&last=${second}`)).body, { jobs: [shown] });
  });
});

Deno.test("The administration API refuses what is no order for a job", async () => {
  await using server = await startServer(new StepKind());
  const { send } = server;
  const cases: [body: unknown, message: string][] = [
    [{}, "Cannot read the request: kind: it is missing"],
    [{ kind: 1 }, "Cannot read the request: kind: it does not fit"],
    [{ kind: "scrubb" }, "Cannot start the job: there is no such kind, only gc"],
    [{ kind: "gc", options: [] }, "Cannot read the request: options: it does not fit"],
    [{ kind: "gc", options: { dryrun: true } }, 'Cannot start the job: unknown option "dryrun"'],
    [{ kind: "gc", options: { steps: "3" } }, "Cannot start the job: option steps: it does not fit"],
    [{ kind: "gc", by: "root" }, 'Cannot read the request: unknown member "by"'],
  ];
  for (const [body, message] of cases) assertEquals(await send("POST", "/jobs", body), refusal(400, message));
  const unknown = "20260807t101530123z-0f3a9c1e";
  for (const id of [unknown, "x", "lease"]) {
    assertEquals(await send("GET", `/jobs/${id}`), UNKNOWN);
    assertEquals(await send("GET", `/jobs/${id}/lines`), UNKNOWN);
    assertEquals(await send("POST", `/jobs/${id}/cancel`), UNKNOWN);
    assertEquals(await send("POST", `/jobs/${id}/resume`), UNKNOWN);
  }
  assertEquals(await send("GET", "/jobs"), { status: 200, body: { jobs: [] } });
});

Deno.test("A changed configuration changes the schedule of a server that runs", async () => {
  const steps = new StepKind();
  steps.permit(1_000);
  await using server = await startServer(steps);
  const jobs = async () => (await server.send("GET", "/jobs")).body.jobs as { started_by: unknown }[];
  await server.reload('[schedule]\ngc = "* * * * * *"\n');
  const scheduled = await until(jobs, (jobs) => jobs.length >= 2);
  assert(scheduled.every(({ started_by }) => started_by === null));
  await server.reload('[schedule]\ngc = "off"\n');
  await until(() => steps.done.length, (count) => count >= 2);
  const before = await until(jobs, (jobs) => jobs.length === steps.done.length);
  await new Promise((resolve) => setTimeout(resolve, 2_100));
  assertEquals((await jobs()).length, before.length);
});

Deno.test("A schedule that is none is refused with its place in the file", async () => {
  await using server = await startServer(new StepKind());
  const mistakes = [
    [
      '[schedule]\ngc = "every hour"',
      "schedule.gc",
      'a cron pattern such as "17 * * * *", or "off"',
      "every hour",
    ],
    [
      '[schedule]\nscrub = "0 0 30 2 *"',
      "schedule.scrub",
      'a cron pattern such as "17 * * * *", or "off"',
      "0 0 30 2 *",
    ],
    [
      '[schedule]\ntimezone = "Mars/Olympus"',
      "schedule.timezone",
      'a time zone such as "Europe/Berlin"',
      "Mars/Olympus",
    ],
  ] as const;
  for (const [text, key, expected, found] of mistakes) {
    const { problems: [problem] } = await server.reload(text).catch((error) => error);
    assertEquals([problem.mark.line, problem.key, problem.message], [
      3,
      key,
      `expected ${expected}, found ${JSON.stringify(found)}`,
    ]);
  }
});
