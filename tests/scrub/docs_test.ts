import { FINDING_SEVERITIES } from "../../server/registry/scrub/findings.ts";
import { assertEquals } from "../support/assert.ts";
import { ROOT } from "../support/registry.ts";

Deno.test("docs/operations.md names each kind of finding, with its severity", async () => {
  const text = await Deno.readTextFile(`${ROOT}docs/operations.md`);
  const section = text.slice(text.indexOf("## Scrub"));
  const rows = [...section.matchAll(/^\| `([a-z-]+)` +\| (damage|leftover) +\|/gm)];
  assertEquals(Object.fromEntries(rows.map(([, kind, severity]) => [kind, severity])), FINDING_SEVERITIES);
});
