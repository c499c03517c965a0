import { ACTIONS } from "../../plugins/contract/action.ts";
import { ADMIN_ROUTES } from "../../server/admin/routes.ts";
import { assertEquals } from "../support/assert.ts";
import { ROOT } from "../support/registry.ts";

interface Line {
  readonly actions: readonly string[];
  readonly requests: readonly string[];
}

async function readTable(): Promise<readonly Line[]> {
  const page = await Deno.readTextFile(`${ROOT}docs/policies.md`);
  const [, section = ""] = /^## Actions\n([^]*?)^## /m.exec(page) ?? [];
  const rows = section.split("\n").filter((line) => line.startsWith("|")).slice(2);
  return rows.map((row) => {
    const [, actions = "", requests = ""] = row.split("|");
    return { actions: codesOf(actions), requests: codesOf(requests) };
  });
}

function codesOf(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code!);
}

/** Methods before the path that they share stand alone: `GET`, `POST /jobs`. */
function spellOut(requests: readonly string[]): string[] {
  return requests.map((request, index) => {
    const path = requests.slice(index).find((later) => later.includes(" "))?.split(" ")[1];
    return `${request.split(" ")[0]} ${path}`;
  });
}

Deno.test("docs/policies.md names every action once", async () => {
  const named = (await readTable()).flatMap(({ actions }) => actions);
  assertEquals(named.toSorted(), ACTIONS.toSorted());
});

Deno.test("docs/policies.md says by which requests of the administration each action is done", async () => {
  const table = await readTable();
  const missing = ADMIN_ROUTES.flatMap(({ methods, path, action }) => {
    const line = table.find(({ actions }) => actions.includes(action));
    const known = spellOut(line?.requests ?? []);
    return methods
      .filter((method) => method !== "HEAD")
      .map((method) => `${method} ${path.replace("/admin/v1", "")}`)
      .filter((request) => !known.includes(request))
      .map((request) => `${action}: ${request}`);
  });
  assertEquals(missing, []);
});
