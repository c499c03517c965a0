import { jsonAnswer } from "../api/answer.ts";
import { type Call, doerOf } from "../api/endpoint.ts";
import type { Registry } from "../registry/registry.ts";
import type { RepositorySummary } from "../registry/repositories.ts";
import { formatTime, PAGE, readOnlyFlag, readPage, readText, unknownRepository } from "./content.ts";
import { type AdminRoute, adminRoute, COUNT, FLAG, listSchema, objectSchema, TEXT, TIME } from "./route.ts";

const SUMMARY = { name: TEXT, tags: COUNT, manifests: COUNT, last_pushed_at: TIME };

const REPOSITORIES = objectSchema({
  repositories: listSchema(objectSchema(SUMMARY, { optional: ["last_pushed_at"] })),
  next: TEXT,
}, { optional: ["next"] });

const REPOSITORY = objectSchema({
  ...SUMMARY,
  blobs: COUNT,
  bytes: COUNT,
  last_pulled_at: TIME,
  rules: objectSchema({ immutable_tags: FLAG, deletes: FLAG }),
}, { optional: ["last_pushed_at", "last_pulled_at"] });

const DELETED = objectSchema({
  deleted: objectSchema({ manifests: COUNT, tags: COUNT, blobs: COUNT, uploads: COUNT }),
  dry_run: FLAG,
});

const PAGE_MAX = 1_000;

/** The rows of repositories as wholes. They come after all longer ones. */
export function repositoryRoutes(): readonly AdminRoute[] {
  return [
    adminRoute("GET HEAD", "/admin/v1/repositories", {
      action: "admin.list-repositories",
      summary: "The repositories that the caller may see, those whose name has filter in it",
      query: { ...PAGE, filter: TEXT },
      answer: { status: 200, schema: REPOSITORIES },
      endpoint: list,
    }),
    adminRoute("GET HEAD", "/admin/v1/repositories/<name>", {
      action: "admin.get-repository",
      summary: "A repository: what is in it, when it was used last, and what the operator forbids",
      answer: { status: 200, schema: REPOSITORY },
      endpoint: show,
    }),
    adminRoute("DELETE", "/admin/v1/repositories/<name>", {
      action: "admin.delete-repository",
      summary: "Delete a repository with all that is in it. 409 where rules of the operator stand in the way",
      query: { dry_run: FLAG },
      answer: { status: 200, schema: DELETED },
      endpoint: remove,
    }),
  ];
}

async function list({ repositories }: Registry, { query, caller }: Call): Promise<Response> {
  const filter = readText(query, "filter");
  const { sees } = caller;
  const isListed = filter === undefined
    ? sees
    : async (name: RepositorySummary["name"]) => name.includes(filter) && (await sees?.(name) ?? true);
  const { entries, more } = await repositories.list(readPage(query, PAGE_MAX), isListed);
  const last = entries.at(-1);
  return jsonAnswer({ repositories: entries.map(summarize), ...(more && last && { next: last.name }) });
}

async function show({ repositories }: Registry, { words }: Call<"name">): Promise<Response> {
  const found = await repositories.get(words.name);
  if (!found) throw unknownRepository();
  const { blobs, bytes, lastPulledAtMs, hasImmutableTags, allowsDelete } = found;
  return jsonAnswer({
    ...summarize(found),
    blobs,
    bytes,
    ...(lastPulledAtMs !== undefined && { last_pulled_at: formatTime(lastPulledAtMs) }),
    rules: { immutable_tags: hasImmutableTags, deletes: allowsDelete },
  });
}

async function remove({ repositories }: Registry, call: Call<"name">): Promise<Response> {
  const { name } = call.words;
  const dryRun = readOnlyFlag(call.query, "dry_run");
  const content = dryRun ? await repositories.plan(name) : await repositories.delete(name, doerOf(call));
  if (!content) throw unknownRepository();
  const { manifests, tags, blobs, uploads } = content;
  return jsonAnswer({ deleted: { manifests, tags, blobs, uploads }, dry_run: dryRun });
}

function summarize({ name, tags, manifests, lastPushedAtMs }: RepositorySummary) {
  return {
    name,
    tags,
    manifests,
    ...(lastPushedAtMs !== undefined && { last_pushed_at: formatTime(lastPushedAtMs) }),
  };
}
