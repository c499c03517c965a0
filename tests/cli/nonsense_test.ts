import { assertEquals } from "../support/assert.ts";
import { type Desk, openDesk, type Outcome } from "./scene.ts";
import { type Reply, serve } from "./stand_in.ts";

function failed(stderr: string): Outcome {
  return { code: 1, stdout: "", stderr: `sregctl: ${stderr}\n` };
}

/** What sregctl makes of an answer to `repo list`; the server's URL as `<url>`. */
async function judge(reply: Reply, args: readonly string[] = ["repo", "list"]): Promise<Outcome> {
  await using desk = await openDesk({});
  await using server = serve({ "GET /admin/v1/repositories": reply });
  const outcome = await desk.run(args, { SREG_SERVER: server.url, SREG_TOKEN: "t" });
  return { ...outcome, stderr: outcome.stderr.replaceAll(server.url, "<url>") };
}

const NOT_SREG = "Cannot ask <url>: its answer is not one of sreg's";
const good = { name: "a", tags: 1, manifests: 1 };

for (
  const [what, reply, says] of [
    ["HTML", () => new Response("<html>hi</html>", { headers: { "Content-Type": "text/html" } }), NOT_SREG],
    ["nothing", () => new Response(""), NOT_SREG],
    ["a list", [], `${NOT_SREG} (expected an object)`],
    ["another object", { hello: 1 }, `${NOT_SREG} (repositories: expected a list)`],
    [
      "wrong types",
      { repositories: [good, { ...good, tags: "7" }] },
      `${NOT_SREG} (repositories[1].tags: expected a number)`,
    ],
    [
      "what JSON cannot say",
      () => new Response('{"repositories":[{"name":"a","tags":1e999}]}'),
      `${NOT_SREG} (repositories[0].tags: expected a number)`,
    ],
    ["pages without end", { repositories: [], next: "a" }, "Cannot list: <url> does not come to an end"],
    [
      "a redirect",
      () => new Response(null, { status: 307, headers: { Location: "http://evil.example/" } }),
      "Cannot ask <url>: it redirects to http://evil.example/",
    ],
    [
      "an error that is no error of sreg's",
      () => new Response("boom\u001b[2J", { status: 502 }),
      "Cannot ask <url>: 502 boom\\u{1b}[2J",
    ],
    [
      "an error without words",
      () => new Response("", { status: 500 }),
      "Cannot ask <url>: 500 and says nothing more",
    ],
    ["nesting without end", () => new Response("[".repeat(1_000_000)), NOT_SREG],
  ] as const
) {
  Deno.test(`sregctl fails, and says why, where a server answers ${what}`, async () => {
    assertEquals(await judge(reply as Reply), failed(says));
  });
}

Deno.test("sregctl reads 16 MiB of an answer that never ends, and no more", async () => {
  const endless = () =>
    new Response(
      new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(1024 * 1024).fill(0x20)),
      }),
    );
  assertEquals(await judge(endless), failed("Cannot ask <url>: its answer is larger than 16 MiB"));
});

Deno.test("sregctl waits for a silent server as long as --timeout says", async () => {
  const { promise: never, resolve: end } = Promise.withResolvers<Response>();
  await using desk = await openDesk({});
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => never);
  const url = `http://127.0.0.1:${server.addr.port}`;
  const outcome = await desk.run(["repo", "list", "--server", url, "--timeout", "0.2"]);
  end(new Response());
  assertEquals(outcome, failed(`Cannot reach ${url}: no answer within 0.2 s`));
});

Deno.test("sregctl waits no longer for an answer that drips", async () => {
  await using desk = await openDesk({});
  let timer: ReturnType<typeof setInterval> | undefined;
  const drip = () =>
    new Response(
      new ReadableStream({
        start: (controller) => {
          timer = setInterval(() => controller.enqueue(new Uint8Array([0x20])), 20);
        },
        cancel: () => clearInterval(timer),
      }),
    );
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, drip);
  const url = `http://127.0.0.1:${server.addr.port}`;
  const outcome = await desk.run(["repo", "list", "--server", url, "--timeout", "0.3"]);
  assertEquals(outcome, failed(`Cannot reach ${url}: no answer within 0.3 s`));
});

const EVIL = "a\u001b[2J\u202egnp\r\n\u0007\u0000";
const UNSAFE = /(?!\n)[\p{Cc}\p{Cf}]/u;
const HARMLESS = "a\\u{1b}[2J\\u{202e}gnp\\u{d}\\u{a}\\u{7}\\u{0}";

Deno.test("sregctl shows names that others chose harmless, in tables and as JSON", async () => {
  const reply = { repositories: [{ ...good, name: EVIL }] };
  assertEquals(
    (await judge(reply)).stdout,
    `repository                                 tags  manifests  last push\n${HARMLESS}  1     1\n`,
  );
  const { stdout } = await judge(reply, ["repo", "list", "--json"]);
  assertEquals(JSON.parse(stdout), reply);
  assertEquals(UNSAFE.test(stdout), false);
});

async function showEvil(
  desk: Desk,
  path: string,
  { reply, args }: { reply: object; args: readonly string[] },
) {
  await using server = serve({ [`GET ${path}`]: reply });
  const { code, stdout } = await desk.run(args, { SREG_SERVER: server.url, SREG_TOKEN: "t" });
  return [
    code,
    UNSAFE.test(stdout),
    stdout.includes("\\u{1b}[2J"),
  ];
}

Deno.test("sregctl shows annotations, platforms, reports and audit events harmless", async () => {
  await using desk = await openDesk({});
  const shown = [0, false, true];
  const tree = {
    digest: EVIL,
    media_type: EVIL,
    size: 1,
    annotations: { [EVIL]: EVIL },
    layers: [{ digest: EVIL, media_type: EVIL, size: 1 }],
    manifests: [{ digest: EVIL, size: 1, platform: { os: EVIL, architecture: EVIL }, missing: true }],
    referrers: [{ digest: EVIL, size: 1, artifact_type: EVIL }],
  };
  assertEquals(
    await showEvil(desk, "/admin/v1/repositories/a/_manifests/v1", {
      reply: tree,
      args: ["manifest", "show", "a", "v1"],
    }),
    shown,
  );
  const job = {
    id: EVIL,
    kind: EVIL,
    state: "done",
    started_at: EVIL,
    options: { [EVIL]: EVIL },
    report: { [EVIL]: EVIL, found: [{ [EVIL]: EVIL }] },
  };
  assertEquals(await showEvil(desk, "/admin/v1/jobs/1", { reply: job, args: ["job", "show", "1"] }), shown);
  const event = { id: "1", at: EVIL, actor: { username: EVIL }, action: EVIL, target: EVIL, outcome: EVIL };
  assertEquals(
    await showEvil(desk, "/admin/v1/audit", { reply: { events: [event] }, args: ["audit", "tail"] }),
    shown,
  );
});

Deno.test("sregctl keeps words of others inside the path that they are for", async () => {
  await using desk = await openDesk({});
  await using server = serve({ "DELETE /admin/v1/roles/a%3Fx%23y%25": null });
  const run = (...args: string[]) => desk.run(args, { SREG_SERVER: server.url, SREG_TOKEN: "t" });
  assertEquals((await run("role", "delete", "a?x#y%", "--yes")).code, 0);
  assertEquals(server.asked.map(({ path }) => path), ["/admin/v1/roles/a%3Fx%23y%25"]);
  assertEquals(await run("role", "delete", "..", "--yes"), {
    code: 2,
    stdout: "",
    stderr: 'sregctl: There is nothing of the name ".."\n',
  });
  assertEquals((await run("tag", "show", "a/../../b", "v1")).code, 2);
  assertEquals(server.asked.length, 1);
});
