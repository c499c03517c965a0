import type { Digest } from "../../oci/digest.ts";
import type { RepositoryName } from "../../oci/name.ts";
import { referrerKey } from "../keys.ts";
import { readManifest } from "./manifest_read.ts";
import type { ScrubRun } from "./scrub_run.ts";

/** Whether what is listed under a subject is a manifest that names it; what it is listed as is told by the manifest. */
export async function checkReferrer(
  run: ScrubRun,
  { name, subject, digest }: {
    readonly name: RepositoryName;
    readonly subject: Digest;
    readonly digest: Digest;
  },
): Promise<void> {
  run.report.checked.referrers++;
  const key = referrerKey(name, subject, digest);
  const value = await run.storage.get(key);
  if (!value || !run.isOld(value)) return;
  const read = await readManifest(run, name, digest);
  if (read && (read.state !== "good" || read.stored.subject === subject)) return;
  if (await run.isBeingDeleted(name, digest)) return;
  if (!read && await run.hasManifest(name, digest)) return;
  const detail = read ? "the manifest names another subject, or none" : "the manifest is not there";
  // Whoever pushes the manifest lists it anew, and so as something else than what was read.
  await run.found(
    { kind: "stray-referrer", key, repository: name, digest, detail },
    () => run.quarantine.moveValue(key, value),
  );
}
