import { assertEquals } from "../support/assert.ts";
import { ROOT } from "../support/registry.ts";
import { CONFIG, openDesk, printed, refused } from "./scene.ts";

const CASES = `[[case]]
name = "anybody pulls what is public"
action = "get-manifest"
repository = "public/app"
reference = "latest"
expect = "allow"

[[case]]
name = "alice pushes to her team"
identity = "alice-id"
action = "put-manifest"
repository = "team/app"
reference = "v1"
expect = "allow"
rule = 'repository."team/*".access_policy.rules[0]'

[[case]]
name = "the build machine pushes"
identity = { certificate = { common_names = ["ci"] } }
action = "put-manifest"
repository = "team/app"
time = 2025-03-31T22:00:00Z
expect = "allow"
`;

const FAILING = `
[[case]]
name = "bob may not push"
identity = { username = "bob", groups = ["developers"] }
action = "put-manifest"
repository = "team/app"
expect = "deny"

[[case]]
name = "root is admin by the team's rule"
identity = { username = "root" }
action = "put-manifest"
repository = "team/app"
expect = "allow"
rule = 'repository."team/*".access_policy.rules[0]'
`;

const PASSED = `    case                      expected  decision  deciding rule
ok  anybody pulls what is     allow     allow     repository."public/**".
    public                                        access_policy.rules[0]
ok  alice pushes to her team  allow     allow     repository."team/*".
                                                  access_policy.rules[0]
ok  the build machine pushes  allow     allow     repository."team/*".
                                                  access_policy.rules[1]

3 cases, all as expected
`;

const FAILED = `      case                      expected  decision  deciding rule
ok    anybody pulls what is     allow     allow     repository."public/**".
      public                                        access_policy.rules[0]
ok    alice pushes to her team  allow     allow     repository."team/*".
                                                    access_policy.rules[0]
ok    the build machine pushes  allow     allow     repository."team/*".
                                                    access_policy.rules[1]
FAIL  bob may not push          deny      allow     repository."team/*".
                                                    access_policy.rules[0]
FAIL  root is admin by the      allow     allow     role.admin
      team's rule

cases.toml:25: bob may not push
  expected deny, found allow by repository."team/*".access_policy.rules[0]: the
  rule is true
cases.toml:32: root is admin by the team's rule
  expected allow by repository."team/*".access_policy.rules[0], found it by
  role.admin: bound to user "root"

5 cases, 2 not as expected
`;

const PROBLEMS = `sregctl: Cannot use the cases: 9 problems
cases.toml:2:1: case.0.nam: unknown key, did you mean name?
  2 | nam = "x"
    | ^^^
cases.toml:4:12: case.0.identity: no such identity is configured, did you mean alice-id?
  4 | identity = "alice-ie"
    |            ^^^^^^^^^^
cases.toml:5:10: case.0.action: no such action, did you mean put-manifest?
  5 | action = "put-manifst"
    |          ^^^^^^^^^^^^^
cases.toml:6:14: case.0.repository: expected a repository name, found "Team"
  6 | repository = "Team"
    |              ^^^^^^
cases.toml:7:13: case.0.reference: expected a tag or a digest, found "not a tag"
  7 | reference = "not a tag"
    |             ^^^^^^^^^^^
cases.toml:8:8: case.0.time: expected a date with its time, such as 2025-03-31T22:00:00Z, found "yesterday"
  8 | time = "yesterday"
    |        ^^^^^^^^^^^
cases.toml:9:10: case.0.expect: expected one of "allow", "deny", found "perhaps"
  9 | expect = "perhaps"
    |          ^^^^^^^^^
cases.toml:11:3: case.1.repository: missing, get-blob is about a repository
  11 | [[case]]
     |   ^^^^
cases.toml:14:14: case.1.identity.usernam: unknown key, did you mean username?
  14 | identity = { usernam = "bob" }
     |              ^^^^^^^
`;

Deno.test("sregctl policy test answers 0 where all is as expected, and names the rules", async () => {
  await using desk = await openDesk({ "sreg.toml": CONFIG, "cases.toml": CASES });
  assertEquals(await desk.run(["policy", "test", "cases.toml"]), printed(0, PASSED));
});

Deno.test("sregctl policy test answers 1 where a case fails, and says why", async () => {
  await using desk = await openDesk({ "other.toml": CONFIG, "cases.toml": CASES + FAILING });
  assertEquals(await desk.run(["policy", "test", "cases.toml", "-c", "other.toml"]), printed(1, FAILED));
});

Deno.test("sregctl policy test --json prints every case", async () => {
  await using desk = await openDesk({ "sreg.toml": CONFIG, "cases.toml": CASES + FAILING });
  const { code, stdout, stderr } = await desk.run(["policy", "test", "cases.toml", "--json"]);
  const { passed, failed, cases } = JSON.parse(stdout);
  assertEquals({ code, stderr, passed, failed, cases: cases.length }, {
    code: 1,
    stderr: "",
    passed: 3,
    failed: 2,
    cases: 5,
  });
  assertEquals(cases.at(-1), {
    name: "root is admin by the team's rule",
    place: "cases.toml:32",
    expected: "allow",
    decision: "allow",
    rule: "role.admin",
    reason: 'bound to user "root"',
    warnings: [],
    failure: 'expected allow by repository."team/*".access_policy.rules[0], found it by role.admin: ' +
      'bound to user "root"',
  });
});

Deno.test("sregctl policy test takes configurations in parts, and cases in folders", async () => {
  await using desk = await openDesk({
    "a.toml": '[repository."x".access_policy]\nrules = ["true"]\n',
    "b.toml": '[repository."y".access_policy]\nrules = ["false"]\n',
  });
  await Deno.mkdir(`${desk.folder}/cases`);
  const item = (name: string, expect: string) =>
    `[[case]]\nname = "${name}"\naction = "list-tags"\nrepository = "${name}"\nexpect = "${expect}"\n`;
  await Deno.writeTextFile(`${desk.folder}/cases/1.toml`, item("x", "allow"));
  await Deno.writeTextFile(`${desk.folder}/cases/2.toml`, item("y", "deny"));
  assertEquals(
    await desk.run(["policy", "test", "cases", "-c", "a.toml", "-c", "b.toml"]),
    printed(
      0,
      `    case  expected  decision  deciding rule
ok  x     allow     allow     repository.x.access_policy.rules[0]
ok  y     deny      deny      repository.y.access_policy.default_allow

2 cases, all as expected
`,
    ),
  );
});

Deno.test("sregctl policy test shows all that is wrong in cases, with its place", async () => {
  await using desk = await openDesk({
    "sreg.toml": CONFIG,
    "cases.toml": `[[case]]
nam = "x"
name = "y"
identity = "alice-ie"
action = "put-manifst"
repository = "Team"
reference = "not a tag"
time = "yesterday"
expect = "perhaps"

[[case]]
name = "no repository"
action = "get-blob"
identity = { usernam = "bob" }
expect = "deny"
`,
  });
  assertEquals(await desk.run(["policy", "test", "cases.toml"]), refused(PROBLEMS));
});

Deno.test("sregctl policy test refuses what is no file, no TOML, no cases, and flags that are wrong", async () => {
  await using desk = await openDesk({ "sreg.toml": CONFIG, "broken.toml": "[[case]\n", "none.toml": "" });
  const stderr = async (...args: string[]) => {
    const outcome = await desk.run(["policy", "test", ...args]);
    assertEquals([outcome.code, outcome.stdout], [2, ""]);
    return outcome.stderr;
  };
  assertEquals([
    await stderr("missing.toml"),
    await stderr("broken.toml"),
    await stderr("none.toml"),
    await stderr("none.toml", "-c", "missing.toml"),
    await stderr("none.toml", "--confg", "sreg.toml"),
    await stderr(),
  ], [
    "sregctl: Cannot use the cases: 1 problem\nmissing.toml: cannot be read: no such file\n",
    "sregctl: Cannot use the cases: 1 problem\n" +
    "broken.toml:1:8: not TOML: expected end of table array declaration\n  1 | [[case]\n    |        ^\n",
    "sregctl: Cannot use the cases: 1 problem\nnone.toml: case: missing, expected a list, each a table\n",
    "sregctl: Cannot use the configuration: 1 problem\nmissing.toml: cannot be read: no such file\n",
    "sregctl: unknown option '--confg'\n(Did you mean --config?)\n",
    "sregctl: missing required argument 'file'\n",
  ]);
});

Deno.test("sregctl policy test makes names harmless that others chose", async () => {
  await using desk = await openDesk({
    "sreg.toml": CONFIG,
    "cases.toml": `[[case]]
name = "clears\\u001b[2J the\\u202escreen\\u0007"
action = "list-tags"
repository = "public/app"
expect = "allow"
`,
  });
  assertEquals(
    await desk.run(["policy", "test", "cases.toml"]),
    printed(
      1,
      `      case                    expected  decision  deciding rule
FAIL  clears\\u{1b}[2J         allow     deny      repository."public/**".
      the\\u{202e}screen\\u{7}                      access_policy.
                                                  default_allow

cases.toml:1: clears\\u{1b}[2J the\\u{202e}screen\\u{7}
  expected allow, found deny by
  repository."public/**".access_policy.default_allow: no rule of the policy is
  true

1 case, 1 not as expected
`,
    ),
  );
});

Deno.test("docs/sregctl.md shows cases that hold", async () => {
  const page = await Deno.readTextFile(`${ROOT}docs/sregctl.md`);
  const config = `[identity.alice]
username = "alice"
password = "$2y$10$${"a".repeat(53)}"

[[binding]]
role = "push"
users = ["alice"]
`;
  await using desk = await openDesk({
    "sreg.toml": config,
    "cases.toml": /```toml\n([^]*?)```/.exec(page)![1]!,
  });
  assertEquals(
    await desk.run(["policy", "test", "cases.toml"]),
    printed(
      0,
      `    case                               expected  decision  deciding rule
ok  alice pushes to her team           allow     allow     role.push
ok  the build machine does not delete  deny      deny      default

2 cases, all as expected
`,
    ),
  );
});
