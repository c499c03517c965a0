import { assertEquals } from "../support/assert.ts";
import { tryCommand } from "../support/command.ts";
import { join } from "../support/paths.ts";
import { ROOT } from "../support/registry.ts";

const page = await Deno.readTextFile(`${ROOT}docs/cookbook.md`);
const recipes = page.split(/^## /m).slice(1);

/** The block of a recipe that begins with a comment of its file's name. */
function blockOf(recipe: string, file: string): string {
  const [, text] = new RegExp("```toml\\n# " + file.replace(".", "\\.") + "\\n([^]*?)```").exec(recipe) ?? [];
  if (text === undefined) throw new Error(`Cannot read docs/cookbook.md: a recipe has no ${file}`);
  return text;
}

for (const recipe of recipes) {
  Deno.test(`docs/cookbook.md: ${recipe.split("\n", 1)[0]}`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "sreg-cookbook-" });
    for (const file of ["sreg.toml", "cases.toml"]) {
      await Deno.writeTextFile(join(folder, file), blockOf(recipe, file));
    }
    const args = ["policy", "test", join(folder, "cases.toml"), "-c", join(folder, "sreg.toml")];
    const { success, stdout, stderr } = await tryCommand(Deno.execPath(), [
      "run",
      "-A",
      `${ROOT}cli/main.ts`,
      ...args,
    ]);
    assertEquals({ success, stderr }, { success: true, stderr: "" }, stdout);
    await Deno.remove(folder, { recursive: true });
  });
}

Deno.test("docs/cookbook.md has recipes", () => assertEquals(recipes.length, 4));
