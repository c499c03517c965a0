import type { ObjectFacts } from "../../../plugins/contract/storage.ts";
import { type Digest, digestAlgorithm } from "../../oci/digest.ts";
import { chunksOf } from "../bytes.ts";
import { Hasher } from "../hash.ts";
import { blobKey } from "../keys.ts";
import type { Mended } from "./findings.ts";
import type { ScrubRun } from "./scrub_run.ts";

interface Hashed {
  readonly digest: Digest;
  readonly facts: ObjectFacts;
}

/** What the bytes of a blob are; `undefined` where that cannot be said: they are gone, or young. */
export type BytesVerdict = "right" | "wrong" | undefined;

/** Reads the bytes of a blob and tells of them where they have another digest; who asks meanwhile shares the answer. */
export function checkBytes(run: ScrubRun, digest: Digest): Promise<BytesVerdict> {
  return run.share(digest, () => judgeBytes(run, digest));
}

async function judgeBytes(run: ScrubRun, digest: Digest): Promise<BytesVerdict> {
  if (run.isWrong(digest)) return "wrong";
  const key = blobKey(digest);
  const hashed = await hashObject(run, key, digest);
  if (!hashed) return undefined;
  run.report.checked.hashed_blobs++;
  if (hashed.digest === digest) return "right";
  if (!run.isOld(hashed.facts)) return undefined;
  run.setWrong(digest, true);
  const detail = `its ${hashed.facts.size} bytes have the digest ${hashed.digest}`;
  await run.found({ kind: "wrong-digest", key, digest, detail }, () => moveAway(run, digest, hashed));
  return run.isWrong(digest) ? "wrong" : undefined;
}

/**
 * Moves the bytes away, unless somebody has put others in their place since they were read; where that happens in the very
 * moment of the move, they are put back.
 */
async function moveAway(
  run: ScrubRun,
  digest: Digest,
  { facts }: Hashed,
): Promise<Mended | "overtaken" | undefined> {
  const key = blobKey(digest);
  const now = await run.storage.stat(key);
  const isSame = now?.size === facts.size && now.modifiedAtMs === facts.modifiedAtMs;
  const moved = isSame ? await run.quarantine.move(key) : "overtaken";
  const isGood = typeof moved === "object" &&
    (await hashObject(run, moved.quarantined, digest))?.digest === digest;
  if (isGood) await run.quarantine.putBack(key);
  if (moved !== "overtaken" && !isGood) return moved;
  run.setWrong(digest, false);
  return "overtaken";
}

async function hashObject(run: ScrubRun, key: string, digest: Digest): Promise<Hashed | undefined> {
  const opened = await run.storage.open(key);
  if (!opened) return undefined;
  const hasher = new Hasher(digestAlgorithm(digest));
  const { body, size, modifiedAtMs } = opened;
  for await (const chunk of chunksOf(body)) {
    hasher.update(chunk);
    await run.read(chunk.byteLength);
  }
  return { digest: hasher.digest(), facts: { size, modifiedAtMs } };
}
