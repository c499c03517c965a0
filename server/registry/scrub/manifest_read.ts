import { PluginError } from "../../../plugins/contract/error.ts";
import { VALUE_BYTES_MAX } from "../../../plugins/contract/storage.ts";
import { type Digest, digestAlgorithm } from "../../oci/digest.ts";
import { OciError } from "../../oci/error.ts";
import { type Manifest, parseManifest } from "../../oci/manifest.ts";
import type { RepositoryName } from "../../oci/name.ts";
import { digestBytes } from "../hash.ts";
import { manifestKey } from "../keys.ts";
import type { StoredManifest } from "../manifest_objects.ts";
import type { ScrubRun } from "./scrub_run.ts";

/** What reading a manifest comes to: it and what it says, or what is wrong with its object, or with what its right bytes say. */
export type ManifestRead =
  | { readonly state: "good"; readonly stored: StoredManifest; readonly manifest: Manifest }
  | { readonly state: "damaged"; readonly problem: string }
  | { readonly state: "unreadable"; readonly problem: string; readonly stored: StoredManifest };

/** Reads a manifest and tests it against its digest; `undefined` where it is not there. */
export async function readManifest(
  run: ScrubRun,
  name: RepositoryName,
  digest: Digest,
): Promise<ManifestRead | undefined> {
  const stored = await getManifest(run, name, digest);
  if (stored === undefined) return undefined;
  if (typeof stored === "string") return { state: "damaged", problem: stored };
  const computed = digestBytes(digestAlgorithm(digest), stored.bytes);
  if (computed !== digest) return { state: "damaged", problem: `its bytes have the digest ${computed}` };
  return understand(stored);
}

/** The manifest, or what is wrong with its object. */
async function getManifest(
  run: ScrubRun,
  name: RepositoryName,
  digest: Digest,
): Promise<StoredManifest | string | undefined> {
  try {
    const stored = await run.manifests.get(name, digest);
    return stored && typeof stored.mediaType !== "string" ? "its head says no media type" : stored;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return "its head cannot be read";
    if (!(error instanceof PluginError) || error.code !== "failed") throw error;
    const facts = await run.storage.stat(manifestKey(name, digest));
    if (!facts || facts.size <= VALUE_BYTES_MAX) throw error;
    return `it has ${facts.size} bytes`;
  }
}

function understand(stored: StoredManifest): ManifestRead {
  try {
    const manifest = parseManifest(stored.bytes, stored.mediaType);
    if (manifest.subject?.digest === stored.subject) return { state: "good", stored, manifest };
    return { state: "unreadable", stored, problem: `its head says that its subject is ${stored.subject}` };
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    return { state: "unreadable", stored, problem: error.message };
  }
}
