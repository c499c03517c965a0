import { hasProgram } from "../support/programs.ts";
import { assertEquals } from "../support/assert.ts";
import { CONFIG, type Desk, openDesk } from "./scene.ts";
import { openScreen } from "./screen.ts";

const CASES = `[[case]]
name = "alice pushes"
identity = "alice-id"
action = "put-manifest"
repository = "team/app"
expect = "allow"

[[case]]
name = "漢字の名前がとても長いのでここで折り返されるはずです"
action = "list-tags"
repository = "team/app"
expect = "allow"
`;

/** What a terminal shows after `sregctl` with these arguments; with its colours where they are asked for. */
async function show(
  desk: Desk,
  args: readonly string[],
  { env = {}, colours = false }: {
    readonly env?: Readonly<Record<string, string>>;
    readonly colours?: boolean;
  } = {},
): Promise<string> {
  await using screen = await openScreen(desk, args, env);
  const { text } = await screen.ended();
  return colours ? await screen.waitFor(/./, { colours }) : text;
}

const SHOWN = `      case                        expected  decision  deciding rule
ok    alice pushes                allow     allow     repository."team/*".
                                                      access_policy.rules[0]
FAIL  漢字の名前がとても長いので  allow     deny      repository."team/*".
      ここで折り返されるはずです                      access_policy.
                                                      default_allow

cases.toml:8: 漢字の名前がとても長いのでここで折り返されるはずです
  expected allow, found deny by repository."team/*".access_policy.default_allow:
  no rule of the policy is true

2 cases, 1 not as expected`;

const ignore = !hasProgram("tmux");
const TEST = ["policy", "test", "cases.toml"];

Deno.test({
  name: "sregctl fits a terminal of 80 columns, by tmux",
  ignore,
  async fn() {
    await using desk = await openDesk({ "sreg.toml": CONFIG, "cases.toml": CASES });
    assertEquals(await show(desk, TEST), SHOWN);
  },
});

Deno.test({
  name: "sregctl has colours on a terminal, and none with NO_COLOR, by tmux",
  ignore,
  async fn() {
    await using desk = await openDesk({ "sreg.toml": CONFIG, "cases.toml": CASES });
    const last = async (env: Record<string, string>) =>
      (await show(desk, TEST, { env, colours: true })).split("\n").at(-1);
    assertEquals(await last({}), "\u001b[31m2 cases, 1 not as expected");
    assertEquals(await last({ NO_COLOR: "1" }), "2 cases, 1 not as expected");
  },
});
