import type { PolicyProblem } from "../../plugins/contract/policy.ts";
import type { StoredRole, StoredRoles } from "../../plugins/contract/role.ts";
import type { AccessStore } from "../access/access_store.ts";
import { emptyAnswer, jsonAnswer } from "../api/answer.ts";
import type { Call } from "../api/endpoint.ts";
import { readFields } from "./body.ts";
import { pageOf, parseFlag, readTexts, refused } from "./members.ts";
import { type AdminRoute, adminRoute, COUNT, FLAG, listSchema, objectSchema, TEXT, TEXTS } from "./route.ts";

/** What the rows of roles are served from. */
export interface RoleParts {
  readonly store: Pick<AccessStore, "roles">;
}

const ROLE = objectSchema({
  name: TEXT,
  verbs: TEXTS,
  repositories: TEXTS,
  source: { enum: ["built-in", "file", "store"] },
});

const ROLES = objectSchema({ roles: listSchema(ROLE), next: TEXT }, { optional: ["next"] });

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const VERBS_MAX = 100;
const REPOSITORIES_MAX = 1_000;

/** The rows of roles. */
export function roleRoutes(parts: RoleParts): readonly AdminRoute[] {
  return [
    adminRoute("GET HEAD", "/admin/v1/roles", {
      action: "admin.list-roles",
      summary: "The roles: those that are built in, of the configuration and of the store",
      query: { n: COUNT, last: TEXT },
      answer: { status: 200, schema: ROLES },
      endpoint: (_, call) => list(parts, call),
    }),
    adminRoute("PUT", "/admin/v1/roles/<role>", {
      action: "admin.put-role",
      summary: "Keep a role in the store, in place of the one with its name",
      body: objectSchema({ verbs: TEXTS, repositories: TEXTS }),
      answer: { status: 200, schema: ROLE },
      endpoint: (_, call) => put(parts, call),
    }),
    adminRoute("DELETE", "/admin/v1/roles/<role>", {
      action: "admin.delete-role",
      summary: "Delete a role of the store. One that somebody has only by force, which takes it from them",
      query: { force: FLAG },
      answer: { status: 204 },
      endpoint: (_, call) => remove(parts, call),
    }),
  ];
}

async function list({ store }: RoleParts, { access, query }: Call): Promise<Response> {
  const [configured, stored] = await Promise.all([access.directory.roles(), store.roles.list()]);
  const names = new Set(configured.roles.map(({ name }) => name));
  const all = [
    ...configured.roles.map((role) => describe(role, role.builtIn ? "built-in" : "file")),
    ...stored.filter(({ name }) => !names.has(name)).map((role) => describe(role, "store")),
  ];
  const { items, ...next } = pageOf(all, query, ({ name }) => name);
  return jsonAnswer({ roles: items, ...next });
}

async function put({ store }: RoleParts, call: Call<"role">): Promise<Response> {
  const { words: { role: name }, access } = call;
  const fields = await readFields(call, ["verbs", "repositories"]);
  const role: StoredRole = {
    name,
    verbs: fields.required("verbs", (value) => readTexts(value, VERBS_MAX)),
    repositories: fields.required("repositories", (value) => readTexts(value, REPOSITORIES_MAX)),
  };
  await refuseConfigured(call);
  if (!NAME.test(name)) {
    throw refused(
      "Cannot keep the role: expected a name of letters, digits, dots, dashes and underscores",
      400,
    );
  }
  const stored = await readStored(store);
  refuseProblems("role", await access.directory.checkRoles({ roles: [role], bindings: [] }, stored));
  const isNew = await store.roles.put(role);
  return jsonAnswer(describe(role, "store"), { status: isNew ? 201 : 200 });
}

/** One that is hidden behind one of the configuration goes too: it would come back when that goes. */
async function remove({ store }: RoleParts, call: Call<"role">): Promise<Response> {
  const { words: { role: name }, query } = call;
  const isForced = parseFlag(query, "force");
  const { roles, bindings } = await readStored(store);
  if (!roles.some((role) => role.name === name)) {
    await refuseConfigured(call);
    throw refused("Cannot find the role: there is none with this name", 404);
  }
  const bound = bindings.filter(({ role }) => role === name);
  if (bound.length > 0 && !isForced) {
    throw refused(`Cannot delete the role: ${bound.length} of the bindings give it to somebody`, 409);
  }
  for (const { id } of bound) await store.roles.unbind(id);
  await store.roles.delete(name);
  return emptyAnswer(204, {});
}

/** What the store has of roles. */
export async function readStored({ roles }: RoleParts["store"]): Promise<StoredRoles> {
  const [all, bindings] = await Promise.all([roles.list(), roles.listBindings()]);
  return { roles: all, bindings };
}

/** Ends a request that would keep what could be meant to grant something, and does not. */
export function refuseProblems(what: "role" | "binding", problems: readonly PolicyProblem[]): void {
  const [problem] = problems;
  if (!problem) return;
  // The path begins with the kind and the name of what the request is about.
  const [member, index] = problem.path.slice(2);
  const place = member === undefined ? "" : `${member}${index === undefined ? "" : `[${index}]`}: `;
  throw refused(`Cannot keep the ${what}: ${place}${problem.message}`, 400);
}

async function refuseConfigured({ access, words: { role: name } }: Call<"role">): Promise<void> {
  const { roles } = await access.directory.roles();
  const found = roles.find((role) => role.name === name);
  if (!found) return;
  const reason = found.builtIn ? "it is built in" : "it is written in the configuration";
  throw refused(`Cannot change the role: ${reason}`, 409);
}

function describe({ name, verbs, repositories }: StoredRole, source: "built-in" | "file" | "store") {
  return { name, verbs, repositories, source };
}
