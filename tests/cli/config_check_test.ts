import { assertEquals } from "../support/assert.ts";
import { tryCommand } from "../support/command.ts";
import { ROOT, sregArguments } from "../support/registry.ts";
import { openDesk, printed } from "./scene.ts";

const MISSPELT = `[global.access_policy]
rules = ['identity.usernam == "bob"']
`;

const CONFIG_FLAG = `--config=${ROOT}deno.json`;
const MAIN = `${ROOT}server/main.ts`;

const SHOWN = `Cannot use the configuration: 1 problem
sreg.toml:2:20: global.access_policy.rules.0: unknown variable "identity.usernam", did you mean "identity.username"?
  2 | rules = ['identity.usernam == "bob"']
    |                    ^^^^^^^
`;

Deno.test("sregctl config check answers 0 for a configuration that can be used", async () => {
  await using desk = await openDesk({ "a.toml": "[server]\nport = 5001\n", "sreg.toml": "" });
  assertEquals(await desk.run(["config", "check", "a.toml"]), printed(0, "a.toml is good\n"));
  assertEquals(await desk.run(["config", "check"]), printed(0, "sreg.toml is good\n"));
  assertEquals(
    await desk.run(["config", "check", "a.toml", "--json"]),
    printed(0, '{\n  "good": true,\n  "problems": []\n}\n'),
  );
});

Deno.test("sregctl config check says that without files all is default", async () => {
  await using desk = await openDesk({});
  assertEquals(await desk.run(["config", "check"]), printed(0, "The default configuration is good\n"));
});

Deno.test("sregctl config check shows problems as sreg shows them, those in rules too", async () => {
  await using desk = await openDesk({ "sreg.toml": MISSPELT, "keys.toml": "[server]\nprot = 1\n" });
  assertEquals(await desk.run(["config", "check"]), { code: 1, stdout: "", stderr: `sregctl: ${SHOWN}` });
  const served = await tryCommand(Deno.execPath(), [
    ...sregArguments().slice(0, -1),
    CONFIG_FLAG,
    MAIN,
    "serve",
  ], {
    cwd: desk.folder,
  });
  assertEquals(served.stderr, `sreg: ${SHOWN}`);
  const { code, stdout } = await desk.run(["config", "check", "keys.toml", "--json"]);
  assertEquals([code, JSON.parse(stdout)], [1, {
    good: false,
    problems: [{
      file: "keys.toml",
      line: 2,
      column: 1,
      key: "server.prot",
      message: "unknown key, did you mean port?",
    }],
  }]);
});

Deno.test("sregctl config check finds passwords that cannot be used", async () => {
  await using desk = await openDesk({
    "sreg.toml": '[identity.bob]\nusername = "bob"\npassword = "plain"\n',
  });
  assertEquals(await desk.run(["config", "check"]), {
    code: 1,
    stdout: "",
    stderr: `sregctl: Cannot use the configuration: 1 problem
sreg.toml:3:12: identity.bob.password: expected an argon2id or bcrypt hash, found something else
  3 | password = "*****"
    |            ^^^^^^^
`,
  });
});
