import type { Digest } from "../../oci/digest.ts";
import type { RepositoryName } from "../../oci/name.ts";

/** How bad a finding is: something that a client may miss or get wrong, or something that is merely left lying. */
export type Severity = "damage" | "leftover";

/** What a scrub finds. */
export const FINDING_SEVERITIES = {
  /** A blob whose bytes have another digest. */
  "wrong-digest": "damage",
  /** A manifest names a blob with another size than it has. */
  "wrong-size": "damage",
  /** A manifest needs a blob whose bytes are not there. */
  "missing-blob": "damage",
  /** A manifest needs a blob whose bytes are there, but which its repository does not have. */
  "missing-link": "damage",
  /** An index lists a manifest that its repository does not have. */
  "missing-manifest": "damage",
  /** A manifest whose own bytes or head are not what was pushed. */
  "damaged-manifest": "damage",
  /** A manifest of the right digest that cannot be understood. */
  "unreadable-manifest": "damage",
  /** A tag that points to no manifest. */
  "dangling-tag": "damage",
  /** A tag that holds no digest. */
  "unreadable-tag": "damage",
  /** A tag that its manifest's deletion would not find. */
  "missing-tagged": "damage",
  /** A manifest that is not listed under its subject. */
  "missing-referrer": "damage",
  /** A manifest that is listed under its subject as something else. */
  "wrong-referrer": "damage",
  /** A repository with manifests that is not in the catalog. */
  "missing-catalog-entry": "damage",
  /** A note of a deletion that cannot be read; a server cannot start with it. */
  "unreadable-deletion": "damage",
  /** A tag is said to have pointed to a manifest that is not there. */
  "stray-tagged": "leftover",
  /** A manifest that is not there, or has another subject or none, is listed under a subject. */
  "stray-referrer": "leftover",
  /** Bytes that no repository has a link to. */
  "orphan-blob": "leftover",
  /** A blob of a repository that none of its manifests refers to. */
  "orphan-link": "leftover",
  /** The same without bytes. */
  "link-without-blob": "leftover",
  /** An upload to which nothing was added for longer than uploads may idle. */
  "stale-upload": "leftover",
  /** Bytes that a collector took aside and left there. */
  "left-aside": "leftover",
  /** A deletion of a manifest that a crash cut short. */
  "unfinished-deletion": "leftover",
  /** A key that the registry does not write. */
  "unknown-key": "leftover",
} as const satisfies Readonly<Record<string, Severity>>;

/** A kind of finding. */
export type FindingKind = keyof typeof FINDING_SEVERITIES;

/** Something that was found. */
export interface FoundThing {
  readonly kind: FindingKind;
  /** The key that it is about. */
  readonly key: string;
  readonly repository?: RepositoryName;
  readonly digest?: Digest;
  /** A sentence for people. */
  readonly detail: string;
}

/** What came of mending: how it was mended, or where it was moved. */
export type Mended = { readonly repaired: string } | { readonly quarantined: string };

/** A finding as it is reported. */
export interface Finding extends FoundThing {
  readonly severity: Severity;
  readonly repaired?: string;
  readonly quarantined?: string;
}

/** What a scrub has looked at. */
export interface Checked {
  repositories: number;
  manifests: number;
  tags: number;
  referrers: number;
  links: number;
  blobs: number;
  /** The sizes of these blobs, in bytes. */
  bytes: number;
  hashed_blobs: number;
  hashed_bytes: number;
}

/** What a scrub reports. */
export interface ScrubReport {
  /** Whether nothing was to be changed. */
  readonly dry_run: boolean;
  /** How many of each kind. */
  readonly findings: Partial<Record<FindingKind, number>>;
  damage: number;
  leftovers: number;
  repaired: number;
  quarantined: number;
  /** Damage that was neither mended nor moved away. */
  remaining: number;
  readonly checked: Checked;
  /** Repositories of the catalog that have no manifest any more. */
  empty_repositories: number;
}

/** A report of nothing yet. */
export function emptyReport(isDryRun: boolean): ScrubReport {
  return {
    dry_run: isDryRun,
    findings: {},
    damage: 0,
    leftovers: 0,
    repaired: 0,
    quarantined: 0,
    remaining: 0,
    checked: {
      repositories: 0,
      manifests: 0,
      tags: 0,
      referrers: 0,
      links: 0,
      blobs: 0,
      bytes: 0,
      hashed_blobs: 0,
      hashed_bytes: 0,
    },
    empty_repositories: 0,
  };
}
