/**
 * What a policy is asked about images that may have become superfluous: part of the policy contract.
 *
 * @module
 */

/** An image: a tag, and the manifest that it points to. */
export interface RetentionImage {
  /** The tag. */
  readonly tag: string;
  /** The manifest's digest. */
  readonly digest: string;
  /** The manifest's media type. */
  readonly mediaType: string;
  /** Bytes of the manifest, of all that it lists, and of their layers; what is listed twice counts once. */
  readonly size: number;
  /** When the tag was last pushed, in milliseconds since 1970; `null`: that is not known. */
  readonly pushedAtMs: number | null;
  /** When it was last pulled, by the tag or by its digest; `null`: that is not known, or never. */
  readonly lastPulledAtMs: number | null;
}

/** Which of some images of a repository are to be kept? */
export interface RetentionQuestion {
  /** The repository's name. */
  readonly repository: string;
  /** Some of its images: at most `RETENTION_IMAGES_MAX`. A repository that has more is asked about in several questions. */
  readonly images: readonly RetentionImage[];
  /** All the repository's tags of which it is known when they were pushed, the latest first. */
  readonly lastPushed: readonly string[];
  /** All the repository's tags of which it is known when they were pulled, the latest first. */
  readonly lastPulled: readonly string[];
  /** What counts as now, in milliseconds since 1970: the same in all questions about a repository. */
  readonly timeMs: number;
}

/** What a policy says of an image. */
export interface Retention {
  /** Whether the image is to be kept. Where any policy of several says so, it is. */
  readonly keep: boolean;
  /** The rule that keeps it, as the operator knows it: `global.retention_policy.rules[0]`. */
  readonly rule?: string;
  /** Why, in a few words, for the operator. */
  readonly reason: string;
}

/** How many images one question has at most. */
export const RETENTION_IMAGES_MAX = 1_000;
