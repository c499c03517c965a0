import type { Digest } from "../oci/digest.ts";

/** What the object of a tag says. */
export interface TagLine {
  /** The manifest that the tag points to. */
  readonly digest: Digest;
  /** When the tag was created, in microseconds since the epoch, if it has pointed to nothing else since. */
  readonly firstUs?: number;
  /** Who created it then; absent: nobody knows. */
  readonly by?: string;
  /** The push that stored the manifest for this tag, once it has set it. */
  readonly push?: string;
}

/** Such an object, which differs from any other of the same tag. */
export function encodeTag({ digest, firstUs, by, push }: TagLine): Uint8Array<ArrayBuffer> {
  const isBare = firstUs === undefined && push === undefined;
  const rest = isBare ? "" : `\n${JSON.stringify({ firstUs, by, push })}`;
  return new TextEncoder().encode(`${digest}\n${crypto.randomUUID()}${rest}`);
}

/** What such an object says. Of one that is damaged behind its digest nobody knows how it came to be. */
export function decodeTag(bytes: Uint8Array): TagLine {
  const [digest, , rest = ""] = new TextDecoder().decode(bytes).split("\n");
  return { ...readRest(rest), digest: digest as Digest };
}

function readRest(text: string): Omit<TagLine, "digest"> {
  const { firstUs, by, push } = parseObject(text);
  const isFirst = Number.isSafeInteger(firstUs) && (by === undefined || typeof by === "string");
  return {
    ...(isFirst && { firstUs: firstUs as number, ...(by !== undefined && { by: by as string }) }),
    ...(typeof push === "string" && { push }),
  };
}

function parseObject(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown> | null ?? {};
  } catch {
    return {};
  }
}
