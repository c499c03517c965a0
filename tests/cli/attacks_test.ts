/** What hostile servers, and surroundings, tried on sregctl, and did not get. */

import { formatTable } from "../../cli/table.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { makeCertificate, makeClientCertificate } from "../support/certificate.ts";
import { hasProgram } from "../support/programs.ts";
import { openDesk, type Outcome } from "./scene.ts";
import { refusal, type Reply, serve, type StandIn } from "./stand_in.ts";

const REPOSITORY = { name: "a", tags: 1, manifests: 1 };

/** What sregctl makes of a server that answers this, and the server; the server's URL as `<url>`. */
async function meet(
  replies: Readonly<Record<string, Reply>>,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly outcome: Outcome; readonly server: StandIn }> {
  await using desk = await openDesk({});
  await using server = serve(replies);
  const { code, stdout, stderr } = await desk.run(args, { SREG_SERVER: server.url, SREG_TOKEN: "t", ...env });
  return { outcome: { code, stdout, stderr: stderr.replaceAll(server.url, "<url>") }, server };
}

const USAGE = {
  repositories: [{ name: "a", bytes: 1, unique_bytes: 1, blobs: 1 }],
  next: "a",
  total: { bytes: 1, bytes_not_deduplicated: 1, blobs: 1 },
};

for (
  const [args, path, reply] of [
    [["repo", "list"], "/admin/v1/repositories", { repositories: [REPOSITORY], next: "a" }],
    [["df"], "/admin/v1/usage", USAGE],
    [["audit", "search"], "/admin/v1/audit", { events: [], next: "0" }],
  ] as const
) {
  Deno.test(`sregctl ${args.join(" ")} leaves a server that leads on to where it is`, async () => {
    const { outcome, server } = await meet({ [`GET ${path}`]: reply }, args);
    const stderr = "sregctl: Cannot list: <url> does not come to an end\n";
    assertEquals([outcome, server.asked.length], [{ code: 1, stdout: "", stderr }, 2]);
  });
}

Deno.test("sregctl leaves a server that leads on to ever other places", async () => {
  let page = 0;
  const replies = { "GET /admin/v1/jobs": () => ({ jobs: [], next: `${page++}` }) };
  const { outcome, server } = await meet(replies, ["job", "list"]);
  const stderr = "sregctl: Cannot list: <url> does not come to an end\n";
  assertEquals([outcome, server.asked.length], [{ code: 1, stdout: "", stderr }, 1_000]);
});

Deno.test("sregctl completion asks no longer than a shell waits", async () => {
  let page = 0;
  const reply = () => ({ repositories: [{ name: "--yes" }, { name: "$(id)" }], next: `${page++}` });
  const sinceMs = performance.now();
  const { outcome } = await meet({ "GET /admin/v1/repositories": reply }, [
    "complete",
    "--",
    "repo",
    "show",
    "",
  ]);
  assertEquals(outcome, { code: 0, stdout: ":4\n", stderr: "" });
  assert(performance.now() - sinceMs < 10_000);
});

Deno.test("sregctl audit search finds what comes after pages that are empty", async () => {
  let page = 0;
  const actor = { id: "mallory", username: "mallory", address: "192.0.2.1" };
  const event = { id: "1", at: "2026-01-01T00:00:00Z", actor, action: "put-manifest", outcome: "done" };
  const reply = () => ++page < 4 ? { events: [], next: `${9 - page}` } : { events: [event] };
  const { outcome, server } = await meet({ "GET /admin/v1/audit": reply }, [
    ...["audit", "search", "--actor", "mallory", "--json"],
  ]);
  assertEquals([outcome.code, JSON.parse(outcome.stdout)], [0, { events: [event] }]);
  assertEquals(server.asked.map(({ path }) => new URLSearchParams(path.split("?")[1]).get("last")), [
    ...[null, "8", "7", "6"],
  ]);
});

Deno.test("sregctl shows the beginning of a text that fills an answer, soon", async () => {
  const name = "x".repeat(10_000_000);
  const { outcome } = await meet({
    "GET /admin/v1/repositories": { repositories: [{ ...REPOSITORY, name }] },
  }, [
    "repo",
    "list",
  ]);
  assertEquals(outcome.code, 0);
  assertEquals(outcome.stdout.match(/x/g)?.length, 4_096);
  const { outcome: { code, stdout } } = await meet(
    { "GET /admin/v1/repositories/a": { ...REPOSITORY, name, blobs: 1, bytes: 1 } },
    ["repo", "show", "a"],
  );
  assertEquals([code, stdout.match(/x/g)?.length], [0, name.length]);
});

Deno.test("formatTable() makes tables of a hundred thousand rows", async () => {
  const rows = Array.from({ length: 100_000 }, (_, index) => [`${index}`, index === 5 ? ["a", "b"] : "c"]);
  const lines = (await formatTable(["number", "letter"], rows)).split("\n");
  assertEquals([lines.length, lines[0], ...lines.slice(6, 9), lines.at(-2)], [
    100_003,
    "number  letter",
    "5       a",
    "        b",
    "6       c",
    "99999   c",
  ]);
});

Deno.test("sregctl shows a report of very many columns", async () => {
  const wide = Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`c${index}`, 1]));
  const report = { list: Array.from({ length: 500 }, () => wide) };
  const job = { id: "1", kind: "k", state: "done", started_at: "2026-01-01T00:00:00Z", report };
  const { outcome } = await meet({ "GET /admin/v1/jobs/1": job }, ["job", "show", "1"]);
  assertEquals([outcome.code, outcome.stdout.includes("c15"), outcome.stdout.includes("c16")], [
    0,
    true,
    false,
  ]);
});

Deno.test("sregctl writes what a server says against it as one line", async () => {
  const reply = () => refusal(400, "Cannot do it: no\nsregctl: all is well\r\u001b[2K$ ");
  const { outcome } = await meet({ "GET /admin/v1/repositories": reply }, ["repo", "list"]);
  assertEquals(
    outcome.stderr,
    "sregctl: Cannot do it: no\\u{a}sregctl: all is well\\u{d}\\u{1b}[2K$  (400)\n",
  );
});

Deno.test("sregctl sends what it has for this machine to no proxy", async () => {
  await using proxy = serve({});
  const env = {
    HTTP_PROXY: proxy.url,
    http_proxy: proxy.url,
    ALL_PROXY: proxy.url,
    NO_PROXY: "other.example",
  };
  const me = { id: "ann", username: "ann", groups: [], by: "token", anonymous: false };
  const { outcome, server } = await meet({ "GET /admin/v1/me": me }, ["whoami", "--json"], env);
  assertEquals([outcome.code, server.asked.length, proxy.asked], [0, 1, []]);
});

Deno.test("sregctl repeats no credentials out of a URL that it cannot use", async () => {
  await using desk = await openDesk({});
  for (const scheme of ["htps", "https"]) {
    const { code, stderr } = await desk.run([
      "status",
      "--server",
      `${scheme}://ann:hidden@registry.example`,
    ]);
    assertEquals([code, stderr.includes("hidden")], [2, false]);
  }
});

Deno.test({
  name: "sregctl takes no server from a file of another user's, tried by root",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using desk = await openDesk({});
    await using server = serve({});
    const path = `${desk.folder}/config/sregctl/contexts.json`;
    await Deno.mkdir(`${desk.folder}/config/sregctl`, { recursive: true });
    const contexts = { current: "a", contexts: { a: { server: server.url } } };
    await Deno.writeTextFile(path, JSON.stringify(contexts), { mode: 0o600 });
    await Deno.chown(path, 12_345, null);
    const stderr =
      `sregctl: Cannot use ${path}: it belongs to another user, who may have written any server into it\n`;
    const outcome = await desk.run(["whoami"], { SREG_TOKEN: "t" });
    assertEquals([outcome, server.asked], [{ code: 2, stdout: "", stderr }, []]);
  },
});

Deno.test({
  name: "sregctl sends nothing to a server whose certificate is another one's, by openssl",
  ignore: !hasProgram("openssl"),
  async fn() {
    await using desk = await openDesk({});
    const files = await makeCertificate(desk.folder);
    const options = { alternativeNames: "DNS:other.example", flaw: "for servers only" } as const;
    const { certificate, key } = await makeClientCertificate(files, `${desk.folder}/other`, options);
    const tls = { cert: await Deno.readTextFile(certificate), key: await Deno.readTextFile(key) };
    await using server = serve({}, tls);
    const env = { SREG_SERVER: server.url, SREG_TOKEN: "t", SREG_CA: files.authority };
    const { code, stderr } = await desk.run(["whoami"], env);
    assertEquals([code, /certificate/.test(stderr), server.asked], [1, true, []]);
  },
});
