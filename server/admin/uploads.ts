import { emptyAnswer, jsonAnswer } from "../api/answer.ts";
import type { Call } from "../api/endpoint.ts";
import { parseRepositoryName } from "../oci/name.ts";
import type { Registry } from "../registry/registry.ts";
import { unknownUpload } from "../registry/uploads.ts";
import { formatTime, PAGE, readPage, readText } from "./content.ts";
import { type AdminRoute, adminRoute, COUNT, listSchema, objectSchema, TEXT, TIME } from "./route.ts";

const UPLOADS = objectSchema({
  uploads: listSchema(objectSchema({ repository: TEXT, id: TEXT, size: COUNT, last_chunk_at: TIME })),
  next: TEXT,
}, { optional: ["next"] });

const PAGE_MAX = 1_000;

/** The rows of uploads under way, whoever began them. */
export function uploadRoutes(): readonly AdminRoute[] {
  return [
    adminRoute("GET HEAD", "/admin/v1/uploads", {
      action: "admin.list-uploads",
      summary: "The uploads under way into repositories that the caller may see, or into one of them",
      query: { ...PAGE, repository: TEXT },
      answer: { status: 200, schema: UPLOADS },
      endpoint: list,
    }),
    adminRoute("DELETE", "/admin/v1/repositories/<name>/_uploads/<upload>", {
      action: "admin.cancel-upload",
      summary: "End an upload, whoever began it, and forget its bytes",
      answer: { status: 204 },
      endpoint: cancel,
    }),
  ];
}

async function list({ uploads }: Registry, { query, caller }: Call): Promise<Response> {
  const text = readText(query, "repository");
  const repository = text === undefined ? undefined : parseRepositoryName(text);
  const page = readPage(query, PAGE_MAX);
  const { entries, more } = await uploads.list(page, { repository, sees: caller.sees });
  const last = entries.at(-1);
  return jsonAnswer({
    uploads: entries.map(({ repository, id, size, lastChunkAtMs }) => ({
      repository,
      id,
      size,
      last_chunk_at: formatTime(lastChunkAtMs),
    })),
    ...(more && last && { next: `${last.repository}/${last.id}` }),
  });
}

async function cancel({ uploads }: Registry, { words }: Call<"name" | "upload">): Promise<Response> {
  if (!await uploads.discard(words.name, words.upload.id)) throw unknownUpload();
  return emptyAnswer(204, {});
}
