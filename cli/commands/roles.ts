import { askList, openClient, pathOf } from "../client.ts";
import { agrees } from "../consent.ts";
import { showDone, showTable } from "../format.ts";
import type { DeleteFlags, GlobalFlags } from "../frame.ts";
import { list, object, text } from "../shape.ts";

/** The flags of `sregctl role create`. */
export interface RoleFlags extends GlobalFlags {
  readonly verb: readonly string[];
  readonly repository?: readonly string[] | undefined;
}

const ROLE = object({ name: text, verbs: list(text), repositories: list(text), source: text });

/** Lists roles. */
export async function listRoles(flags: GlobalFlags): Promise<number> {
  using client = await openClient(flags);
  const roles = await askList(client, { name: "roles", item: ROLE, path: "/admin/v1/roles" });
  return await showTable({ roles }, {
    json: flags.json,
    headings: ["role", "verbs", "repositories", "from"],
    rows: roles.map((
      { name, verbs, repositories, source },
    ) => [name, verbs.join(", "), repositories, source]),
    none: "There is no role",
  });
}

/** Makes a role, or changes it. */
export async function putRole(name: string, flags: RoleFlags): Promise<number> {
  const { verb: verbs, repository: repositories = ["**"] } = flags;
  using client = await openClient(flags);
  const role = await client.ask({
    method: "PUT",
    path: pathOf`/admin/v1/roles/${name}`,
    body: { verbs, repositories },
    shape: ROLE,
  });
  return showDone(role, { json: flags.json, text: `The role ${name} is set` });
}

/** Deletes a role. */
export async function deleteRole(
  name: string,
  flags: DeleteFlags & { readonly force?: true | undefined },
): Promise<number> {
  if (!await agrees(flags, `the role ${name}`)) return 0;
  using client = await openClient(flags);
  await client.ask({
    method: "DELETE",
    path: pathOf`/admin/v1/roles/${name}`,
    query: { force: flags.force ? "true" : undefined },
  });
  return showDone({ deleted: name }, { json: flags.json, text: `The role ${name} is deleted` });
}
