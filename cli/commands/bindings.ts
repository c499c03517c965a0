import { askList, openClient, pathOf } from "../client.ts";
import { agrees } from "../consent.ts";
import { showDone, showTable } from "../format.ts";
import type { DeleteFlags, GlobalFlags } from "../frame.ts";
import { Misuse } from "../misuse.ts";
import { list, object, optional, text } from "../shape.ts";

/** The flags of `sregctl binding create`. */
export interface BindingFlags extends GlobalFlags {
  readonly user?: readonly string[] | undefined;
  readonly group?: readonly string[] | undefined;
}

const BINDING = object({
  id: optional(text),
  role: text,
  users: list(text),
  groups: list(text),
  source: optional(text),
});

/** Lists bindings. */
export async function listBindings(flags: GlobalFlags): Promise<number> {
  using client = await openClient(flags);
  const bindings = await askList(client, { name: "bindings", item: BINDING, path: "/admin/v1/bindings" });
  return await showTable({ bindings }, {
    json: flags.json,
    headings: ["id", "role", "users", "groups", "from"],
    rows: bindings.map((
      { id, role, users, groups, source },
    ) => [id ?? "-", role, users, groups, source ?? ""]),
    none: "There is no binding",
  });
}

/** Gives users and groups a role. */
export async function createBinding(role: string, flags: BindingFlags): Promise<number> {
  const { user: users, group: groups } = flags;
  if (!users && !groups) throw new Misuse("A binding is for somebody: --user, --group");
  using client = await openClient(flags);
  const binding = await client.ask({
    method: "POST",
    path: "/admin/v1/bindings",
    body: { role, users, groups },
    shape: BINDING,
  });
  return showDone(binding, { json: flags.json, text: `Made the binding ${binding.id ?? ""} to ${role}` });
}

/** Takes a binding back. */
export async function deleteBinding(id: string, flags: DeleteFlags): Promise<number> {
  if (!await agrees(flags, `the binding ${id}`)) return 0;
  using client = await openClient(flags);
  await client.ask({ method: "DELETE", path: pathOf`/admin/v1/bindings/${id}` });
  return showDone({ deleted: id }, { json: flags.json, text: `The binding ${id} is deleted` });
}
