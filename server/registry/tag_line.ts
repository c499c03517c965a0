import type { Digest } from "../oci/digest.ts";

/** What the object of a tag says. */
export interface TagLine {
  /** The manifest that the tag points to. */
  readonly digest: Digest;
  /** When the tag was created, in microseconds since the epoch, if it has pointed to nothing else since. */
  readonly firstUs?: number;
  /** Who created it then; absent: nobody knows. */
  readonly by?: string;
}

/** Such an object, which differs from any other of the same tag. */
export function encodeTag({ digest, firstUs, by }: TagLine): Uint8Array<ArrayBuffer> {
  const first = firstUs === undefined ? "" : `\n${JSON.stringify({ firstUs, by })}`;
  return new TextEncoder().encode(`${digest}\n${crypto.randomUUID()}${first}`);
}

/** What such an object says. Of one that is damaged behind its digest nobody knows how it came to be. */
export function decodeTag(bytes: Uint8Array): TagLine {
  const [digest, , first = ""] = new TextDecoder().decode(bytes).split("\n");
  return { ...readFirst(first), digest: digest as Digest };
}

function readFirst(text: string): Pick<TagLine, "firstUs" | "by"> {
  const { firstUs, by } = parseObject(text);
  const isFirst = Number.isSafeInteger(firstUs) && (by === undefined || typeof by === "string");
  return isFirst ? { firstUs: firstUs as number, ...(by !== undefined && { by: by as string }) } : {};
}

function parseObject(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown> | null ?? {};
  } catch {
    return {};
  }
}
