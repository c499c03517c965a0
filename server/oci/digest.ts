import { OciError } from "./error.ts";

declare const digestBrand: unique symbol;

/** A content digest, `<algorithm>:<encoded>`, of an algorithm that sreg computes (image-spec, descriptor.md). */
export type Digest = string & { readonly [digestBrand]: true };

/** The algorithms that sreg computes, with the length of their lower-case hexadecimal form. */
export const DIGEST_ALGORITHMS = { sha256: 64, sha512: 128 } as const;

/** A digest algorithm. */
export type DigestAlgorithm = keyof typeof DIGEST_ALGORITHMS;

const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** Whether `text` is a digest. */
export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

/** The digest that `text` is, or DIGEST_INVALID. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new OciError(
    "DIGEST_INVALID",
    "Cannot read the digest: expected sha256: or sha512: and lower-case hex",
  );
}

/** The algorithm that `text` names, or DIGEST_INVALID. */
export function parseDigestAlgorithm(text: string): DigestAlgorithm {
  if (Object.hasOwn(DIGEST_ALGORITHMS, text)) return text as DigestAlgorithm;
  throw new OciError("DIGEST_INVALID", "Cannot use the digest algorithm: expected sha256 or sha512");
}

/** A digest from its two parts, of which the caller is certain. */
export function formatDigest(algorithm: DigestAlgorithm, encoded: string): Digest {
  return `${algorithm}:${encoded}` as Digest;
}

/** The part before the colon. */
export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.slice(0, 6) as DigestAlgorithm;
}

/** The part after the colon. */
export function digestEncoded(digest: Digest): string {
  return digest.slice(7);
}
