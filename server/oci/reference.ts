import { type Digest, parseDigest } from "./digest.ts";
import { OciError, type OciErrorCode } from "./error.ts";

declare const tagBrand: unique symbol;

/** A tag (distribution-spec, "Pulling manifests", `<reference>` as a tag). */
export type Tag = string & { readonly [tagBrand]: true };

/** What a manifest is asked for by. */
export type Reference = { readonly tag: Tag; readonly digest?: never } | {
  readonly digest: Digest;
  readonly tag?: never;
};

const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** Whether `text` is a tag. */
export function isTag(text: string): text is Tag {
  return TAG.test(text);
}

/**
 * The tag that `text` is. Otherwise an error of `code`: MANIFEST_INVALID where a tag is to be written, MANIFEST_UNKNOWN
 * where one is looked for, since what cannot be a tag cannot be there.
 */
export function parseTag(text: string, code: OciErrorCode): Tag {
  if (isTag(text)) return text;
  throw new OciError(
    code,
    "Cannot read the tag: expected 1 to 128 of a-z A-Z 0-9 _ . -, not starting with . or -",
  );
}

/** The reference that `text` is: a digest where it has a colon, else a tag. See `parseTag` for `code`. */
export function parseReference(text: string, code: OciErrorCode): Reference {
  return text.includes(":") ? { digest: parseDigest(text) } : { tag: parseTag(text, code) };
}

/** The reference as a client writes it. */
export function formatReference(reference: Reference): string {
  return reference.tag ?? reference.digest;
}
