import { unlessConflict } from "../../../plugins/contract/error.ts";
import { VALUE_BYTES_MAX } from "../../../plugins/contract/storage.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Descriptor, Manifest } from "../../oci/manifest.ts";
import { isManifestMediaType, isNonDistributable } from "../../oci/media_type.ts";
import type { RepositoryName } from "../../oci/name.ts";
import { markLine, readLine } from "../conditions.ts";
import { blobKey, linkKey, manifestKey, referrerKey } from "../keys.ts";
import type { StoredManifest } from "../manifest_objects.ts";
import { describeReferrer } from "../referrers.ts";
import { checkBytes } from "./blob_bytes.ts";
import type { FindingKind } from "./findings.ts";
import { readManifest } from "./manifest_read.ts";
import type { Mend, ScrubRun } from "./scrub_run.ts";

/** A manifest of a repository. */
interface Place {
  readonly name: RepositoryName;
  readonly digest: Digest;
}

interface Whole extends Place {
  readonly stored: StoredManifest;
  readonly manifest: Manifest;
}

/** Notes what the manifest refers to, and judges it where that is wanted. */
export async function checkManifest(
  run: ScrubRun,
  { name, digest }: Place,
  options: { readonly judge: boolean },
): Promise<void> {
  const read = await readManifest(run, name, digest);
  if (read?.state === "good") noteReferences(run, name, read.manifest);
  if (!read || !options.judge) return;
  run.report.checked.manifests++;
  const place = { name, digest };
  if (read.state === "damaged") return await tellDamaged(run, place, read.problem);
  if (!run.isOld(read.stored)) return;
  if (read.state === "unreadable") {
    return await run.found({ ...describe("unreadable-manifest", place), detail: read.problem });
  }
  const whole = { ...place, stored: read.stored, manifest: read.manifest };
  await checkReferences(run, whole);
  await checkOwnReferrer(run, whole);
}

function noteReferences(run: ScrubRun, name: RepositoryName, { blobs, children }: Manifest): void {
  for (const { digest } of [...blobs, ...children]) run.references.add(name, digest);
}

function describe(kind: FindingKind, { name, digest }: Place) {
  return { kind, key: manifestKey(name, digest), repository: name, digest } as const;
}

async function tellDamaged(run: ScrubRun, place: Place, problem: string): Promise<void> {
  const { name, digest } = place;
  const key = manifestKey(name, digest);
  const facts = await run.storage.stat(key);
  if (!facts || !run.isOld(facts)) return;
  await run.found({ ...describe("damaged-manifest", place), detail: problem }, async () => {
    // Nobody writes over a manifest, so one that is too large to be compared is moved as it is.
    if (facts.size > VALUE_BYTES_MAX) return await run.quarantine.move(key);
    const value = await run.storage.get(key);
    const isStill = (await readManifest(run, name, digest))?.state === "damaged";
    return value && isStill ? await run.quarantine.moveValue(key, value) : "overtaken";
  });
}

async function checkReferences(run: ScrubRun, whole: Whole): Promise<void> {
  const { blobs, children } = whole.manifest;
  for (const blob of once(blobs)) if (!isNonDistributable(blob.mediaType)) await checkBlob(run, whole, blob);
  for (const child of once(children)) await checkChild(run, whole, child);
}

/** Each content once, however often it is listed with the same size. */
function once(descriptors: readonly Descriptor[]): Descriptor[] {
  return [...new Map(descriptors.map((item) => [`${item.digest} ${item.size}`, item])).values()];
}

async function checkChild(run: ScrubRun, whole: Whole, child: Descriptor): Promise<void> {
  const { name } = whole;
  if (await run.hasManifest(name, child.digest)) return;
  if (!isManifestMediaType(child.mediaType)) return await checkBlob(run, whole, child);
  if (!await run.hasManifest(name, whole.digest)) return;
  await run.found({
    ...describe("missing-manifest", whole),
    detail: `it lists the manifest ${child.digest}, which the repository does not have`,
  });
}

async function checkBlob(run: ScrubRun, whole: Whole, blob: Descriptor): Promise<void> {
  const problem = await findProblem(run, whole.name, blob);
  // What is wrong is looked at again, after what may have put it right meanwhile.
  let found = problem && !await run.isAside(blob.digest) && await findProblem(run, whole.name, blob);
  if (!found || !await run.hasManifest(whole.name, whole.digest)) return;
  if (found.kind === "wrong-size" && await checkBytes(run, blob.digest) !== "right") {
    // It is the bytes that are wrong, which has been told; what is still to be told is that they were moved away.
    found = await findProblem(run, whole.name, blob);
    if (found?.kind !== "missing-blob") return;
  }
  await run.found({ ...describe(found.kind, whole), detail: found.detail });
}

async function findProblem(run: ScrubRun, name: RepositoryName, { digest, size }: Descriptor) {
  const [link, blob] = await Promise.all([
    run.storage.stat(linkKey(name, digest)),
    run.storage.stat(blobKey(digest)),
  ]);
  if (!blob) {
    return { kind: "missing-blob", detail: `the bytes of its blob ${digest} are not there` } as const;
  }
  if (!link) {
    return { kind: "missing-link", detail: `the repository does not have its blob ${digest}` } as const;
  }
  if (blob.size === size) return undefined;
  const detail = `it gives its blob ${digest} ${size} bytes, there are ${blob.size}`;
  return { kind: "wrong-size", detail } as const;
}

/** Whether the manifest is listed under its subject, as what it is. */
async function checkOwnReferrer(run: ScrubRun, whole: Whole): Promise<void> {
  const { name, digest, manifest, stored } = whole;
  if (!manifest.subject) return;
  const key = referrerKey(name, manifest.subject.digest, digest);
  const line = JSON.stringify(describeReferrer(manifest, digest, stored.bytes.byteLength));
  const value = await run.storage.get(key);
  if (value && readLine(value.bytes) === line) return;
  if (!await run.hasManifest(name, digest) || await run.isBeingDeleted(name, digest)) return;
  const condition = value ? { ifMatch: value.etag } : { ifAbsent: true } as const;
  const mend: Mend = async () => {
    const put = await unlessConflict(run.storage.put(key, markLine(line), condition));
    if (!put) return "overtaken";
    if (await run.hasManifest(name, digest)) return { repaired: "listed it anew" };
    await unlessConflict(run.storage.delete(key, { ifMatch: put.etag }));
    return "overtaken";
  };
  const thing = { key, repository: name, digest };
  await run.found(
    value
      ? { kind: "wrong-referrer", ...thing, detail: "it is listed under its subject as something else" }
      : { kind: "missing-referrer", ...thing, detail: "it is not listed under its subject" },
    mend,
  );
}
