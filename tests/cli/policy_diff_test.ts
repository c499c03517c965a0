import { assert, assertEquals } from "../support/assert.ts";
import { startRegistry } from "../support/registry.ts";
import { openDesk, printed } from "./scene.ts";

const ASKED = ["policy", "diff", "old.toml", "new.toml", "--log", "sreg.log"];

const OLD = `[repository."team/*".access_policy]
rules = ['"developers" in identity.groups', 'request.method == "PUT" && "v1" in request.tags']
`;
const NEW = `[repository."team/*".access_policy]
rules = ['identity.username == "alice"']
`;

interface Asker {
  readonly identity?: string;
  readonly username?: string;
  readonly groups?: readonly string[];
  readonly claimNames?: readonly string[];
}

function decided(asker: Asker, facts: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({
    time: "2025-11-03T10:00:00.000Z",
    level: "debug",
    message: "Decided",
    action: "get-manifest",
    namespace: "team/app",
    reference: "v1",
    identity: null,
    ...asker,
    method: "GET",
    clientAddress: "10.0.0.1",
    ...facts,
  });
}

const ALICE = { identity: "a", username: "alice", groups: ["developers"] };
const DAVE = { identity: "d", username: "dave", groups: ["developers"] };

const LOG = [
  decided(ALICE, { allowed: true }),
  decided(DAVE, { allowed: true }),
  decided(DAVE, { allowed: true }),
  decided({}, { allowed: false }),
  decided({ identity: "oidc:1", claimNames: ["sub"] }, { allowed: true }),
  decided({ identity: "ci" }, { action: "put-manifest", method: "PUT", tags: ["v1"], allowed: true }),
  '{"time":"2025-11-03T10:00:00.000Z","level":"debug","message":"Served a request"}',
  "no JSON",
  "",
].join("\n");

const NOTES = `The log has 2 lines about something else
Replayed without claims, which are not logged: 1 decision
Decided otherwise by the old policies than the log says: 1
`;

Deno.test("sregctl policy diff shows whose access would change, and answers 1", async () => {
  await using desk = await openDesk({ "old.toml": OLD, "new.toml": NEW, "sreg.log": LOG });
  assertEquals(
    await desk.run(ASKED),
    printed(
      1,
      `identity  action        repository  access        deciding rule           times
d         get-manifest  team/app    allow → deny  repository."team/*".    2
                                                  access_policy.rules[0]
                                                  → repository."team/*".
                                                  access_policy.
                                                  default_allow
ci        put-manifest  team/app    allow → deny  repository."team/*".    1
                                                  access_policy.rules[1]
                                                  → repository."team/*".
                                                  access_policy.
                                                  default_allow

3 of 6 decisions would change
${NOTES}`,
    ),
  );
});

Deno.test("sregctl policy diff answers 0 where nothing changes", async () => {
  await using desk = await openDesk({ "old.toml": OLD, "new.toml": OLD, "sreg.log": LOG });
  assertEquals(await desk.run(ASKED), printed(0, `No decision of 6 would change\n${NOTES}`));
});

Deno.test("sregctl policy diff --json prints the changes", async () => {
  await using desk = await openDesk({ "old.toml": OLD, "new.toml": NEW, "sreg.log": LOG });
  const { code, stdout } = await desk.run([...ASKED, "--json"]);
  const { changes, ...counts } = JSON.parse(stdout);
  assertEquals({ code, ...counts, change: changes[0] }, {
    code: 1,
    decisions: 6,
    skipped: 2,
    without_claims: 1,
    otherwise_than_logged: 1,
    change: {
      identity: "d",
      action: "get-manifest",
      repository: "team/app",
      count: 2,
      old: {
        decision: "allow",
        rule: 'repository."team/*".access_policy.rules[0]',
        reason: "the rule is true",
      },
      new: {
        decision: "deny",
        rule: 'repository."team/*".access_policy.default_allow',
        reason: "no rule of the policy is true",
      },
    },
  });
});

Deno.test("sregctl policy diff refuses a log and configurations that cannot be read", async () => {
  await using desk = await openDesk({ "old.toml": OLD, "new.toml": NEW });
  assertEquals(await desk.run(ASKED), {
    code: 2,
    stdout: "",
    stderr:
      "sregctl: Cannot read the log sreg.log: No such file or directory (os error 2): open 'sreg.log'\n",
  });
  assertEquals(await desk.run(["policy", "diff", "old.toml", "gone.toml", "--log", "old.toml"]), {
    code: 2,
    stdout: "",
    stderr: "sregctl: Cannot use the configuration: 1 problem\ngone.toml: cannot be read: no such file\n",
  });
});

Deno.test("sregctl policy diff decides what a server logs as the server did", async () => {
  const config = `[global.access_policy]
rules = ['request.action != "delete-manifest" && !(request.tags.exists(tag, tag == "v9"))']
`;
  await using desk = await openDesk({ "old.toml": config, "new.toml": "" });
  const registry = await startRegistry({ config, args: ["--verbose"] });
  const send = async (method: string, path: string) => {
    const answer = await fetch(registry.url + path, { method });
    await answer.body?.cancel();
    return answer.status;
  };
  const statuses = [
    await send("GET", "/v2/"),
    await send("GET", "/v2/team/app/tags/list"),
    await send("DELETE", "/v2/team/app/manifests/v1"),
    await send("PUT", "/v2/team/app/manifests/v9"),
    await send("GET", `/v2/team/app/blobs/sha256:${"0".repeat(64)}`),
  ];
  await registry.stop();
  assertEquals(statuses, [200, 404, 403, 403, 404]);
  await Deno.writeTextFile(`${desk.folder}/sreg.log`, registry.log());
  const { code, stdout } = await desk.run([...ASKED, "--json"]);
  const { decisions, without_claims, otherwise_than_logged, changes } = JSON.parse(stdout);
  const changed = changes.map(({ identity, action, repository, count }: Record<string, unknown>) =>
    [identity, action, repository, count].join(" ")
  );
  assert(decisions >= statuses.length);
  assertEquals({ code, without_claims, otherwise_than_logged, changed }, {
    code: 1,
    without_claims: 0,
    otherwise_than_logged: 0,
    changed: ["anonymous delete-manifest team/app 1", "anonymous put-manifest team/app 1"],
  });
});
