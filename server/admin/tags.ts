import { emptyAnswer, jsonAnswer } from "../api/answer.ts";
import { type Call, doerOf } from "../api/endpoint.ts";
import { OciError } from "../oci/error.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Tag } from "../oci/reference.ts";
import { mapParallel } from "../registry/parallel.ts";
import type { LastPulls } from "../registry/pulls.ts";
import type { Registry } from "../registry/registry.ts";
import { type ImageSizer, imageSizer } from "../registry/tree.ts";
import { formatTime, PAGE, readPage, unknownRepository } from "./content.ts";
import { type AdminRoute, adminRoute, COUNT, listSchema, objectSchema, TEXT, TIME } from "./route.ts";

const TAG = objectSchema({
  tag: TEXT,
  digest: TEXT,
  media_type: TEXT,
  size: COUNT,
  pushed_at: TIME,
  last_pulled_at: TIME,
}, { optional: ["media_type", "size", "last_pulled_at"] });

const TAGS = objectSchema({ tags: listSchema(TAG), next: TEXT }, { optional: ["next"] });

const HISTORY = objectSchema({
  history: listSchema(
    objectSchema({ digest: TEXT, deleted: { const: true }, set_at: TIME, by: TEXT }, {
      optional: ["deleted", "by"],
    }),
  ),
});

const PAGE_MAX = 1_000;

/** The rows of tags. */
export function tagRoutes(): readonly AdminRoute[] {
  return [
    adminRoute("GET HEAD", "/admin/v1/repositories/<name>/_tags", {
      action: "admin.get-tag",
      summary: "The tags of a repository: size is that of the whole image",
      query: PAGE,
      answer: { status: 200, schema: TAGS },
      endpoint: list,
    }),
    adminRoute("GET HEAD", "/admin/v1/repositories/<name>/_tags/<tag>", {
      action: "admin.get-tag",
      summary: "A tag",
      answer: { status: 200, schema: TAG },
      endpoint: show,
    }),
    adminRoute("DELETE", "/admin/v1/repositories/<name>/_tags/<tag>", {
      action: "admin.delete-tag",
      summary: "Delete a tag; its manifest stays",
      answer: { status: 204 },
      endpoint: remove,
    }),
    adminRoute("GET HEAD", "/admin/v1/repositories/<name>/_tags/<tag>/history", {
      action: "admin.get-tag",
      summary: "What a tag has pointed to, newest first: the last hundred changes",
      answer: { status: 200, schema: HISTORY },
      endpoint: history,
    }),
  ];
}

async function list(registry: Registry, { words, query }: Call<"name">): Promise<Response> {
  const { name } = words;
  const page = await registry.tags.list(name, readPage(query, PAGE_MAX));
  if (page.entries.length === 0 && !await registry.catalog.has(name)) throw unknownRepository();
  const tags = await describeSome(registry, { name, tags: page.entries });
  const last = page.entries[tags.length - 1];
  const hasMore = page.more || tags.length < page.entries.length;
  return jsonAnswer({
    tags: tags.filter((tag) => tag !== undefined),
    ...(hasMore && last !== undefined && { next: last }),
  });
}

/** Tags that are described at once. Small: each may be an index of hundreds of manifests. */
const AT_ONCE = 16;

/** Describes the first of `tags`: all of them, unless very much must be read for their sizes. */
async function describeSome(
  registry: Registry,
  { name, tags }: { readonly name: RepositoryName; readonly tags: readonly Tag[] },
) {
  const pulls = await registry.pulls.get(name);
  const sizer = imageSizer(registry, name);
  const described = [];
  while (described.length < tags.length && !sizer.isSpent()) {
    const some = tags.slice(described.length, described.length + AT_ONCE);
    described.push(...await mapParallel(some, (tag) => describe(registry, { name, tag, pulls, sizer })));
  }
  return described;
}

async function show(registry: Registry, { words }: Call<"name" | "tag">): Promise<Response> {
  const pulls = await registry.pulls.get(words.name);
  const found = await describe(registry, { ...words, pulls, sizer: imageSizer(registry, words.name) });
  if (!found) throw unknownTag();
  return jsonAnswer(found);
}

async function remove({ tags }: Registry, call: Call<"name" | "tag">): Promise<Response> {
  if (!await tags.delete(call.words.name, call.words.tag, doerOf(call))) throw unknownTag();
  return emptyAnswer(204, {});
}

async function history({ tags }: Registry, { words }: Call<"name" | "tag">): Promise<Response> {
  const changes = await tags.history(words.name, words.tag);
  if (changes.length === 0) throw unknownTag();
  return jsonAnswer({
    history: changes.map(({ digest, isDeleted, atMs, by }) => ({
      digest,
      ...(isDeleted && { deleted: true }),
      set_at: formatTime(atMs),
      ...(by !== undefined && { by }),
    })),
  });
}

async function describe(
  registry: Registry,
  { name, tag, pulls, sizer }: {
    readonly name: RepositoryName;
    readonly tag: Tag;
    readonly pulls: LastPulls;
    readonly sizer: ImageSizer;
  },
) {
  const facts = await registry.tags.stat(name, tag);
  if (!facts) return undefined;
  const manifest = await registry.manifests.get(name, { digest: facts.digest });
  const pulledAtMs = pulls.get(tag);
  return {
    tag,
    digest: facts.digest,
    ...(manifest && { media_type: manifest.mediaType, size: await sizer.sizeOf(manifest) }),
    pushed_at: formatTime(facts.setAtMs),
    ...(pulledAtMs !== undefined && { last_pulled_at: formatTime(pulledAtMs) }),
  };
}

function unknownTag(): OciError {
  return new OciError("MANIFEST_UNKNOWN", "Cannot find the tag: the repository does not have it");
}
