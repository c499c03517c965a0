import { assertEquals } from "../support/assert.ts";
import { CONFIG, openDesk, printed } from "./scene.ts";

const ASKED = ["policy", "explain", "--action", "put-manifest", "--repository", "team/app"];

Deno.test("sregctl policy explain shows what becomes of every rule, then the decision", async () => {
  await using desk = await openDesk({ "sreg.toml": CONFIG });
  assertEquals(
    await desk.run([...ASKED, "--identity", "alice-id"]),
    printed(
      0,
      `rule                                text                                verdict
repository."team/*".access_policy.  "developers" in identity.groups     true
rules[0]
repository."team/*".access_policy.  identity.certificate.common_names.  false
rules[1]                            contains("ci") &&
                                    request.action.startsWith("put")
role.admin                          *, admin.* on **, for user root     false

allow by repository."team/*".access_policy.rules[0]: the rule is true
`,
    ),
  );
});

Deno.test("sregctl policy explain --json prints the verdicts and the decision", async () => {
  await using desk = await openDesk({ "sreg.toml": CONFIG });
  const { code, stdout, stderr } = await desk.run([...ASKED, "--identity", '{"username":"root"}', "--json"]);
  assertEquals({ code, stderr, ...JSON.parse(stdout) }, {
    code: 0,
    stderr: "",
    decision: "allow",
    rule: "role.admin",
    reason: 'bound to user "root"',
    warnings: [],
    verdicts: [
      {
        policy: "cel",
        rule: 'repository."team/*".access_policy.rules[0]',
        text: '"developers" in identity.groups',
        verdict: "false",
      },
      {
        policy: "cel",
        rule: 'repository."team/*".access_policy.rules[1]',
        text: 'identity.certificate.common_names.contains("ci") && request.action.startsWith("put")',
        verdict: "false",
      },
      { policy: "rbac", rule: "role.admin", text: "*, admin.* on **, for user root", verdict: "true" },
    ],
  });
});

Deno.test("sregctl policy explain knows the anonymous, and rules about addresses and references", async () => {
  await using desk = await openDesk({
    "sreg.toml": `[global.access_policy]
rules = ['request.client_address == "10.1.2.3" && request.reference == "v1" && identity.id == null']
`,
  });
  const args = [
    "policy",
    "explain",
    "--identity",
    "anonymous",
    "--action",
    "get-manifest",
    "--repository",
    "a",
  ];
  const decision = async (...flags: string[]) =>
    (await desk.run([...args, ...flags])).stdout.split("\n").at(-2);
  assertEquals([
    await decision("--reference", "v1", "--client-address", "10.1.2.3"),
    await decision("--reference", "v1"),
    await decision("--reference", "v2", "--client-address", "10.1.2.3"),
  ], [
    "allow by global.access_policy.rules[0]: the rule is true",
    "deny by global.access_policy.default_allow: no rule of the policy is true",
    "deny by global.access_policy.default_allow: no rule of the policy is true",
  ]);
});

Deno.test("sregctl policy explain without any policy says that everybody may", async () => {
  await using desk = await openDesk({});
  assertEquals(
    await desk.run([...ASKED, "--identity", "anonymous"]),
    printed(0, "allow by default: no policy is configured\n"),
  );
});

Deno.test("sregctl policy explain refuses flags that make no question, and says which was meant", async () => {
  await using desk = await openDesk({ "sreg.toml": CONFIG });
  const stderr = async (...args: string[]) => {
    const outcome = await desk.run(["policy", "explain", ...args]);
    assertEquals([outcome.code, outcome.stdout], [2, ""]);
    return outcome.stderr;
  };
  const asked = ["--action", "get-manifest", "--repository", "a"];
  assertEquals([
    await stderr(...asked, "--identity", "alice-di"),
    await stderr(...asked, "--identity", '{"grups":[]}'),
    await stderr(...asked, "--identity", '{"groups":"a"}'),
    await stderr(...asked, "--identity", "{"),
    await stderr("--identity", "anonymous", "--action", "get-manifst"),
    await stderr("--identity", "anonymous", "--action", "get-manifest"),
    await stderr(...asked, "--identity", "anonymous", "--reference", "a b"),
    await stderr(...asked),
  ], [
    "sregctl: --identity: no such identity is configured, did you mean alice-id?\n",
    "sregctl: --identity: expected only id, username, groups, claims, provider, certificate\n",
    "sregctl: --identity.groups: expected a list of strings\n",
    "sregctl: --identity: Expected property name or '}' in JSON at position 1 (line 1 column 2)\n",
    "sregctl: --action: no such action, did you mean get-manifest?\n",
    "sregctl: --repository: expected a repository\n",
    "sregctl: --reference: expected a reference\n",
    "sregctl: required option '--identity <who>' not specified\n",
  ]);
});
