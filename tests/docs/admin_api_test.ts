import { ADMIN_ROUTES } from "../../server/admin/routes.ts";
import { assertEquals } from "../support/assert.ts";
import { ROOT } from "../support/registry.ts";

Deno.test("docs/admin-api.md names requests that there are", async () => {
  const page = await Deno.readTextFile(`${ROOT}docs/admin-api.md`);
  const named = [...page.matchAll(/`(GET|POST|PUT|PATCH|DELETE) (\/admin\/v1\/[^`?]+)`/g)];
  const known = ADMIN_ROUTES.flatMap(({ methods, path }) => methods.map((method) => `${method} ${path}`));
  const unknown = named.map(([, method, path]) => `${method} ${path}`).filter((row) => !known.includes(row));
  assertEquals([unknown, named.length > 5], [[], true]);
});
