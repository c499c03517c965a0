import { jsonAnswer } from "../api/answer.ts";
import type { Call } from "../api/endpoint.ts";
import { OciError } from "../oci/error.ts";
import type { RepositoryName } from "../oci/name.ts";
import { cutPage, type Listed, type Page, PAGE_LIMIT_MAX } from "../oci/page.ts";
import type { Sees } from "../registry/catalog.ts";
import type { Registry } from "../registry/registry.ts";
import type { RepositoryUsage, Usage } from "../registry/usage.ts";
import { formatTime, PAGE, readPage } from "./content.ts";
import { type AdminRoute, adminRoute, COUNT, listSchema, objectSchema, TEXT, TIME } from "./route.ts";

const USAGE = objectSchema({
  repositories: listSchema(objectSchema({ name: TEXT, bytes: COUNT, unique_bytes: COUNT, blobs: COUNT })),
  total: objectSchema({
    bytes: COUNT,
    bytes_not_deduplicated: COUNT,
    blobs: COUNT,
    uploads_bytes: COUNT,
    garbage_bytes: COUNT,
  }),
  counted_at: TIME,
  next: TEXT,
}, { optional: ["next"] });

/** How long a request waits for a count, in milliseconds: less than clients wait for their answer. */
const WAIT_MS = 25_000;

/** The row of what takes the space. */
export function usageRoutes({ waitMs = WAIT_MS }: { readonly waitMs?: number } = {}): readonly AdminRoute[] {
  return [
    adminRoute("GET HEAD", "/admin/v1/usage", {
      action: "admin.get-usage",
      summary:
        "What takes the space, counted at most a minute ago; 503 while counting takes too long to wait for",
      query: PAGE,
      answer: { status: 200, schema: USAGE },
      endpoint: (registry, call) => show(registry, call, { waitMs }),
    }),
  ];
}

async function show(
  { usage }: Registry,
  { query, caller }: Call,
  { waitMs }: { readonly waitMs: number },
): Promise<Response> {
  const found = await waitFor(usage.get(), waitMs);
  const { entries, more } = await listSeen(found, {
    ...readPage(query, PAGE_LIMIT_MAX),
    sees: caller.sees,
  });
  const last = entries.at(-1);
  return jsonAnswer({
    repositories: entries.map(([name, { bytes, uniqueBytes, blobs }]) => ({
      name,
      bytes,
      unique_bytes: uniqueBytes,
      blobs,
    })),
    total: {
      bytes: found.bytes,
      bytes_not_deduplicated: found.bytesNotDeduplicated,
      blobs: found.blobs,
      uploads_bytes: found.uploadsBytes,
      garbage_bytes: found.garbageBytes,
    },
    counted_at: formatTime(found.countedAtMs),
    ...(more && last && { next: last[0] }),
  });
}

async function listSeen(
  { repositories }: Usage,
  { limit, last = "", sees }: Page & { readonly sees: Sees | undefined },
): Promise<Listed<readonly [RepositoryName, RepositoryUsage]>> {
  const seen: [RepositoryName, RepositoryUsage][] = [];
  for (const entry of repositories) {
    if (seen.length > limit) break;
    const [name] = entry;
    if (name > last && (await sees?.(name) ?? true)) seen.push(entry);
  }
  return cutPage(seen, limit);
}

/** What is counted, if it is in time; the count goes on where it is not. */
async function waitFor(counting: Promise<Usage>, waitMs: number): Promise<Usage> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(stillCounting()), waitMs);
  try {
    return await Promise.race([counting, late]);
  } finally {
    clearTimeout(timer);
  }
}

function stillCounting(): OciError {
  return new OciError("UNSUPPORTED", "Cannot say yet what takes the space: it is being counted, ask again", {
    status: 503,
    headers: { "Retry-After": "10" },
  });
}
