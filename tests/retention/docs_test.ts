import { loadConfig } from "../../server/config/mod.ts";
import { tryConfig } from "../../server/policy_trial.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { ROOT } from "../support/registry.ts";

Deno.test("the configurations of docs/retention.md can be used", async () => {
  const page = await Deno.readTextFile(`${ROOT}docs/retention.md`);
  const example = await Deno.readTextFile(`${ROOT}docs/sreg.example.toml`);
  const written = [...page.matchAll(/```toml\n([^]*?)```/g)].map(([, text]) => text!);
  const commented = example.slice(
    example.indexOf("# [global.retention_policy]"),
    example.indexOf("# When jobs"),
  );
  const texts = [...written, commented.replaceAll(/^# ?/gm, "")];
  assertEquals(texts.length, 2);
  const folder = await Deno.makeTempDir();
  try {
    for (const text of texts) {
      const file = `${folder}/sreg.toml`;
      await Deno.writeTextFile(file, text);
      const { retention } = await loadConfig({ files: [file] });
      assert(retention, "it has no rules of retention");
      await tryConfig({ files: [file] }, (warning) => assertEquals(warning, ""));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
