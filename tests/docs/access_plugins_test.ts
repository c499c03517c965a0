import { assertEquals } from "../support/assert.ts";
import { RegistryClient } from "../support/client.ts";
import { dirname, join } from "../support/paths.ts";
import { ROOT, startRegistry } from "../support/registry.ts";

const FILES = [
  "badges/plugin.toml",
  "badges/badges.ts",
  "freeze/plugin.toml",
  "freeze/freeze.ts",
  "sreg.toml",
];

Deno.test("docs/access-plugins.md shows plugins that say who somebody is and what they may do", async (t) => {
  const page = await Deno.readTextFile(`${ROOT}docs/access-plugins.md`);
  const blocks = [...page.matchAll(/^\*\*`([^`]+)`\*\*\n\n```\w+\n(.*?)^```$/gms)];
  assertEquals(blocks.map(([, file]) => file), FILES);
  const folder = await Deno.makeTempDir({ prefix: "sreg-docs-" });
  for (const [, file, text] of blocks) {
    await Deno.mkdir(dirname(join(folder, file!)), { recursive: true });
    await Deno.writeTextFile(join(folder, file!), text!);
  }
  await using registry = await startRegistry({ args: ["--config", join(folder, "sreg.toml"), "--verbose"] });
  const client = new RegistryClient(registry.url);
  const status = async (method: string, path: string, token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return (await client.send(method, path, { headers })).status;
  };

  await t.step("a badge gets in, another credential does not", async () => {
    assertEquals(await status("GET", "/v2/", "badge-alice"), 200);
    assertEquals(await status("GET", "/v2/", "badge-"), 401);
    assertEquals(await status("GET", "/v2/", "other"), 401);
    assertEquals(await status("GET", "/v2/"), 401);
  });
  await t.step("while the freeze lasts nothing is pushed, though a role allows it", async () => {
    assertEquals(await status("POST", "/v2/app/blobs/uploads/", "badge-alice"), 403);
    assertEquals(await status("GET", "/v2/app/tags/list", "badge-alice"), 404);
  });
  await t.step("the log names the rule", () => {
    assertEquals(/"rule":"freeze","reason":"nothing is pushed before 2999/.test(registry.log()), true);
  });
  await Deno.remove(folder, { recursive: true });
});
