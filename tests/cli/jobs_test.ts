import { hasProgram } from "../support/programs.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { openDesk, type Outcome, printed, sregctlArguments } from "./scene.ts";
import { openScreen } from "./screen.ts";
import { refusal, type Reply, serve } from "./stand_in.ts";

const AT = "2025-03-31T22:00:05.000Z";
const ENDED = "2025-03-31T22:01:09.000Z";

function job(kind: string, state: string, more: object = {}) {
  return {
    id: "j1",
    kind,
    options: {},
    state,
    started_by: { id: "root", username: "root" },
    started_at: AT,
    ...(state !== "running" && { ended_at: ENDED }),
    replica: "r",
    lines: 0,
    ...more,
  };
}

const STARTED = () => Response.json({ job: "j1" }, { status: 202 });

/** Answers one after the other; the last stays. */
function inTurn(...replies: readonly Reply[]): Reply {
  let turn = 0;
  return () => {
    const reply = replies[Math.min(turn++, replies.length - 1)]!;
    return (typeof reply === "function" ? reply() : reply) as object;
  };
}

async function run(args: readonly string[], replies: Readonly<Record<string, Reply>>) {
  await using desk = await openDesk({});
  await using server = serve({ "POST /admin/v1/jobs": STARTED, ...replies });
  const outcome: Outcome = await desk.run(args, { SREG_SERVER: server.url, SREG_TOKEN: "t" });
  return { outcome, asked: server.asked };
}

const MARK = { phase: "mark", done: 10, total: 100, unit: "manifests" };

Deno.test("sregctl gc starts the job, follows it in plain lines, and shows its report", async () => {
  const { outcome, asked } = await run(["gc", "--dry-run"], {
    "GET /admin/v1/jobs/j1": inTurn(
      job("gc", "running"),
      job("gc", "running", { progress: MARK }),
      job("gc", "running", { progress: { ...MARK, done: 50 } }),
      job("gc", "running", { progress: { phase: "sweep", done: 3, unit: "blobs", bytes: 2_000_000 } }),
      job("gc", "done", {
        options: { dry_run: true },
        report: { due: 5, blobs: 3, bytes: 2_000_000, by_kind: { links: 2 }, dry_run: true },
      }),
    ),
  });
  assertEquals(outcome, {
    code: 0,
    stdout: `may be garbage  5
blobs removed   3
space freed     1.9 MiB
by kind: links  2

This was a dry run: nothing was changed
`,
    stderr: "gc mark 10/100 manifests\ngc sweep 3 blobs, 1.9 MiB\n",
  });
  assertEquals(asked[0]!.body, { kind: "gc", options: { dry_run: true } });
});

Deno.test("sregctl scrub sends its flags; --detach does not follow", async () => {
  const args = ["scrub", "--repair", "--rehash", "--rate", "1.5MiB", "--detach"];
  const { outcome, asked } = await run(args, {});
  assertEquals(outcome, printed(0, "Started; follow it with: sregctl job follow j1\n"));
  assertEquals(asked.map(({ body }) => body), [
    { kind: "scrub", options: { repair: true, rehash: true, rate: 1_572_864 } },
  ]);
});

Deno.test("sregctl answers 1 where a job fails, is interrupted, or cannot be started", async () => {
  const end = async (reply: Reply, more: Readonly<Record<string, Reply>> = {}) => {
    const { outcome } = await run(["gc"], { "GET /admin/v1/jobs/j1": reply, ...more });
    return `${outcome.code} ${outcome.stderr}`;
  };
  assertEquals(
    await end(job("gc", "failed", { error: "the store is\u0007 away" })),
    "1 sregctl: The job j1 (gc) is failed: the store is\\u{7} away\n",
  );
  assertEquals(
    await end(job("gc", "interrupted")),
    "1 sregctl: The job j1 (gc) is interrupted\nsregctl: Go on with it: sregctl job resume j1\n",
  );
  assertEquals(
    await end({}, {
      "POST /admin/v1/jobs": () => refusal(409, "Cannot start the job: j0 runs", { running: "j0" }),
    }),
    "1 sregctl: Cannot start gc: another job is running; see it with: sregctl job follow j0\n",
  );
});

const VERDICTS = [
  {
    repository: "team/app",
    tag: "v1",
    digest: "sha256:a",
    kept: true,
    rule: "rules[0]",
    reason: "the rule is true",
  },
  { repository: "team/app", tag: "old", digest: "sha256:b", kept: false, reason: "no rule keeps it" },
  { repository: "team/app", tag: null, digest: "sha256:c", kept: false, reason: "it is untagged" },
];

Deno.test("sregctl retention test shows for each tag what keeps it, or why it would go", async () => {
  const replies = {
    "GET /admin/v1/jobs/j1": job("retention", "done", {
      options: { dry_run: true, repository: "team/app" },
      lines: 3,
      report: { repositories: 1, failed: [] },
    }),
    "GET /admin/v1/jobs/j1/lines": { lines: VERDICTS },
  };
  const { outcome, asked } = await run(["retention", "test", "--repository", "team/app"], replies);
  assertEquals(
    outcome,
    printed(
      0,
      `repositories  1

image              fate    why
team/app:v1        keep    rules[0]
team/app:old       delete  no rule keeps it
team/app@sha256:c  delete  it is untagged

This was a dry run: nothing was changed
`,
    ),
  );
  assertEquals(asked[0]!.body, { kind: "retention", options: { dry_run: true, repository: "team/app" } });
  const json = await run(["retention", "test", "--json"], replies);
  assertEquals(JSON.parse(json.outcome.stdout).entries, VERDICTS);
});

Deno.test("sregctl scrub shows what it finds, and answers 1 only where damage stays", async () => {
  const lines = [
    { severity: "damage", kind: "dangling-tag", key: "r/a/tags/v1", detail: "it points to nothing" },
    { severity: "leftover", kind: "orphan-blob", key: "b/sha256/00", detail: "no link", quarantined: "q/1" },
  ];
  const scrub = (remaining: number) =>
    run(["scrub", "--repair"], {
      "GET /admin/v1/jobs/j1": job("scrub", "done", {
        lines: 2,
        options: { repair: true },
        report: { findings: { "dangling-tag": 1 }, damage: 1, remaining, checked: { bytes: 2_048 } },
      }),
      "GET /admin/v1/jobs/j1/lines": { lines },
    });
  const table = (end: string) =>
    `findings: dangling-tag  1
damage                  1
remaining               ${end.startsWith("No") ? 0 : 1}
checked: bytes          2.0 KiB

finding       key          what
dangling-tag  r/a/tags/v1  it points to nothing
orphan-blob   b/sha256/00  no link
                           moved to q/1

${end}
`;
  assertEquals((await scrub(1)).outcome, printed(1, table("Damage stays")));
  assertEquals((await scrub(0)).outcome, printed(0, table("No damage stays")));
});

Deno.test("sregctl scrub says how to mend what it only looked at", async () => {
  const report = { damage: 0, leftovers: 2, remaining: 0 };
  const { outcome } = await run(["scrub"], { "GET /admin/v1/jobs/j1": job("scrub", "done", { report }) });
  const end = "No damage stays\nTo mend what can be derived, and move the rest to quarantine: " +
    "sregctl scrub --repair\n";
  assertEquals([outcome.code, outcome.stdout.split("\n\n")[1]], [0, end]);
});

Deno.test("sregctl retention test answers 1 where there is no such repository", async () => {
  const { outcome } = await run(["retention", "test", "--repository", "nope"], {
    "GET /admin/v1/jobs/j1": job("retention", "done", {
      options: { dry_run: true, repository: "nope" },
      report: { repositories: 0, failed: [] },
    }),
  });
  assertEquals(outcome, { code: 1, stdout: "", stderr: "sregctl: There is no repository nope\n" });
});

Deno.test("sregctl retention run deletes nothing without --yes where nobody can be asked", async () => {
  const { outcome, asked } = await run(["retention", "run"], {});
  assertEquals([outcome.code, asked], [2, []]);
});

Deno.test("sregctl waits for a server that is away for a moment", async () => {
  await using desk = await openDesk({});
  const first = serve({ "POST /admin/v1/jobs": STARTED, "GET /admin/v1/jobs/j1": job("gc", "running") });
  const port = Number(new URL(first.url).port);
  const running = desk.run(["gc"], { SREG_SERVER: first.url, SREG_TOKEN: "t" });
  while (first.asked.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  await first[Symbol.asyncDispose]();
  await new Promise((resolve) => setTimeout(resolve, 600));
  await using _ = serve({ "GET /admin/v1/jobs/j1": job("gc", "done", { report: { blobs: 0 } }) }, { port });
  const { code, stdout, stderr } = await running;
  assertEquals([code, stdout], [0, "blobs removed  0\n"]);
  assert(stderr.includes("; waiting for it\n"), stderr);
});

Deno.test("sregctl job show and job list tell of jobs", async () => {
  const done = job("gc", "done", { report: { blobs: 1 }, progress: { ...MARK, done: 100 } });
  const shown = await run(["job", "show", "j1"], { "GET /admin/v1/jobs/j1": done });
  assertEquals(
    shown.outcome,
    printed(
      0,
      `job      j1
kind     gc
state    done
started  2025-03-31 22:00:05Z by root
ended    2025-03-31 22:01:09Z
took     1 min 4 s
replica  r

blobs removed  1
`,
    ),
  );
  const listed = await run(["job", "list"], {
    "GET /admin/v1/jobs": { jobs: [{ ...done, options: { dry_run: true }, started_by: null }] },
  });
  assertEquals(
    listed.outcome.stdout,
    "job  kind         state  started               by\n" +
      "j1   gc, dry run  done   2025-03-31 22:00:05Z  the schedule\n",
  );
});

Deno.test("sregctl leaves a job running where it is interrupted in a pipe, and says so", async () => {
  await using desk = await openDesk({});
  await using server = serve({ "GET /admin/v1/jobs/j1": job("gc", "running", { progress: MARK }) });
  const child = new Deno.Command(Deno.execPath(), {
    args: [...sregctlArguments(), "job", "follow", "j1"],
    env: { XDG_CONFIG_HOME: desk.folder, SREG_SERVER: server.url },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  while (server.asked.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill("SIGINT");
  const { code, stderr } = await child.output();
  assertEquals(
    [code, new TextDecoder().decode(stderr)],
    [1, "gc mark 10/100 manifests\nThe job goes on: sregctl job follow j1\n"],
  );
});

const terminal = { ignore: !hasProgram("tmux") };

Deno.test({
  ...terminal,
  name: "sregctl draws a bar with rate and remaining time in one line of a terminal, by tmux",
  async fn() {
    await using desk = await openDesk({});
    const startMs = performance.now();
    let isDone = false;
    const growing = () => {
      const done = Math.min(900, Math.round((performance.now() - startMs) / 10));
      return isDone
        ? job("gc", "done", { report: { blobs: 7 } })
        : job("gc", "running", { progress: { ...MARK, done, total: 1_000 } });
    };
    await using server = serve({ "GET /admin/v1/jobs/j1": growing });
    await using screen = await openScreen(desk, ["job", "follow", "j1"], { SREG_SERVER: server.url });
    const text = await screen.waitFor(/^gc [█░]{20} \d+% mark \d+\/1000 manifests, \d+\/s, \d+ s left$/);
    assertEquals(text.split("\n").length, 1);
    isDone = true;
    assertEquals(await screen.ended(), { code: 0, text: "blobs removed  7" });
  },
});

Deno.test({
  ...terminal,
  name: "sregctl asks at Ctrl-C whether to cancel the job; a second one leaves it running, by tmux",
  async fn() {
    await using desk = await openDesk({});
    let state = "running";
    await using server = serve({
      "GET /admin/v1/jobs/j1": () => job("gc", state, { progress: MARK }),
      "POST /admin/v1/jobs/j1/cancel": () => {
        state = "cancelled";
        return Response.json({ job: "j1" }, { status: 202 });
      },
    });
    const env = { SREG_SERVER: server.url };
    {
      await using screen = await openScreen(desk, ["job", "follow", "j1"], env);
      await screen.waitFor(/10% mark/);
      await screen.press("C-c");
      await screen.waitFor(/Leave it running/);
      await screen.press("C-c");
      const { code, text } = await screen.ended();
      assertEquals([code, text.includes("The job goes on: sregctl job follow j1")], [1, true]);
      assertEquals(server.asked.some(({ method }) => method === "POST"), false);
    }
    await using screen = await openScreen(desk, ["job", "follow", "j1"], env);
    await screen.waitFor(/10% mark/);
    await screen.press("C-c");
    await screen.waitFor(/Cancel the job/);
    await screen.press("Down", "Enter");
    const { code, text } = await screen.ended();
    assertEquals([code, text.includes("The job j1 (gc) is cancelled")], [1, true]);
  },
});
