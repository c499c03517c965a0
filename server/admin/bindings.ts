import type { StoredBinding } from "../../plugins/contract/role.ts";
import { emptyAnswer, jsonAnswer } from "../api/answer.ts";
import type { Call } from "../api/endpoint.ts";
import { readFields } from "./body.ts";
import { pageOf, readText, readTexts, refused } from "./members.ts";
import { readStored, refuseProblems, type RoleParts } from "./roles.ts";
import { type AdminRoute, adminRoute, COUNT, listSchema, objectSchema, TEXT, TEXTS } from "./route.ts";

const BINDING = objectSchema({
  id: TEXT,
  role: TEXT,
  users: TEXTS,
  groups: TEXTS,
  source: { enum: ["file", "store"] },
});

const BINDINGS = objectSchema({ bindings: listSchema(BINDING), next: TEXT }, { optional: ["next"] });

const WHO_MAX = 1_000;
/** Begins the ids of those of the configuration, which have none there. */
const FILE = "file-";

/** The rows of bindings. */
export function bindingRoutes(parts: RoleParts): readonly AdminRoute[] {
  return [
    adminRoute("GET HEAD", "/admin/v1/bindings", {
      action: "admin.list-bindings",
      summary: "Who has which role, by the configuration and by the store",
      query: { n: COUNT, last: TEXT },
      answer: { status: 200, schema: BINDINGS },
      endpoint: (_, call) => list(parts, call),
    }),
    adminRoute("POST", "/admin/v1/bindings", {
      action: "admin.put-binding",
      summary: "Give a role to users and groups",
      body: objectSchema({ role: TEXT, users: TEXTS, groups: TEXTS }, { optional: ["users", "groups"] }),
      answer: { status: 201, schema: BINDING },
      endpoint: (_, call) => create(parts, call),
    }),
    adminRoute("DELETE", "/admin/v1/bindings/<binding>", {
      action: "admin.delete-binding",
      summary: "Take a role back from the users and groups of a binding",
      answer: { status: 204 },
      endpoint: (_, call) => remove(parts, call),
    }),
  ];
}

async function list({ store }: RoleParts, { access, query }: Call): Promise<Response> {
  const [configured, stored] = await Promise.all([access.directory.roles(), store.roles.listBindings()]);
  const all = [
    ...configured.bindings.map((binding, index) => describe({ id: `${FILE}${index}`, ...binding }, "file")),
    ...stored.map((binding) => describe(binding, "store")),
  ];
  const { items, ...next } = pageOf(all, query, ({ id }) => id);
  return jsonAnswer({ bindings: items, ...next });
}

async function create({ store }: RoleParts, call: Call): Promise<Response> {
  const fields = await readFields(call, ["role", "users", "groups"]);
  const binding = {
    role: fields.required("role", readText),
    users: fields.optional("users", (value) => readTexts(value, WHO_MAX)) ?? [],
    groups: fields.optional("groups", (value) => readTexts(value, WHO_MAX)) ?? [],
  };
  const wanted = { roles: [], bindings: [{ id: "", ...binding }] };
  refuseProblems("binding", await call.access.directory.checkRoles(wanted, await readStored(store)));
  refuseLockout(call, binding);
  return jsonAnswer(describe(await store.roles.bind(binding), "store"), { status: 201 });
}

/** Where no policy is in force everybody may everything, until the first binding is: then only whom it names. */
function refuseLockout(
  { access, caller: { identity } }: Call,
  { role, users, groups }: Omit<StoredBinding, "id">,
): void {
  if (access.policies.length > 0) return;
  const isNamed =
    [identity.id, identity.username, "*"].some((name) => name !== null && users.includes(name)) ||
    identity.groups.some((group) => groups.includes(group)) ||
    (identity.id !== null && groups.includes("authenticated"));
  if (role === "admin" && isNamed) return;
  throw refused(
    "Cannot bind: no policy is in force yet, and then nobody could take it back: bind admin to yourself first",
    409,
  );
}

async function remove({ store }: RoleParts, { words: { binding: id } }: Call<"binding">): Promise<Response> {
  if (id.startsWith(FILE)) {
    throw refused("Cannot delete the binding: it is written in the configuration", 409);
  }
  const bindings = await store.roles.listBindings();
  if (!bindings.some((binding) => binding.id === id)) {
    throw refused("Cannot find the binding: there is none with this id", 404);
  }
  await store.roles.unbind(id);
  return emptyAnswer(204, {});
}

function describe({ id, role, users, groups }: StoredBinding, source: "file" | "store") {
  return { id, role, users, groups, source };
}
