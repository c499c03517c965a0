import { askList, openClient, pathOf } from "../client.ts";
import { agrees } from "../consent.ts";
import { formatBytes, formatTime, showDone, showTable } from "../format.ts";
import type { DeleteFlags, GlobalFlags } from "../frame.ts";
import { number, object, optional, text } from "../shape.ts";

const UPLOAD = object({
  repository: text,
  id: text,
  size: number,
  started_at: optional(text),
  last_chunk_at: optional(text),
});

/** Lists uploads under way. */
export async function listUploads(
  flags: GlobalFlags & { readonly repository?: string | undefined },
): Promise<number> {
  using client = await openClient(flags);
  const uploads = await askList(client, {
    name: "uploads",
    item: UPLOAD,
    path: "/admin/v1/uploads",
    query: { repository: flags.repository },
  });
  return await showTable({ uploads }, {
    json: flags.json,
    headings: ["repository", "upload", "size", "last bytes"],
    rows: uploads.map(({ repository, id, size, last_chunk_at }) => [
      repository,
      id,
      formatBytes(size),
      formatTime(last_chunk_at),
    ]),
    none: "There is no upload under way",
  });
}

/** Ends an upload. */
export async function cancelUpload(
  { repository, id }: { readonly repository: string; readonly id: string },
  flags: DeleteFlags,
): Promise<number> {
  if (!await agrees(flags, `the upload ${id} to ${repository}`)) return 0;
  using client = await openClient(flags);
  await client.ask({ method: "DELETE", path: pathOf`/admin/v1/repositories/${repository}/_uploads/${id}` });
  return showDone({ cancelled: id }, { json: flags.json, text: `The upload ${id} is cancelled` });
}
