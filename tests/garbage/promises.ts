import type { RepositoryModel } from "../crash/model.ts";
import type { Moment } from "../crash/register.ts";

/** How much earlier than the client's clock says a promise may end: files are dated by a clock that ticks. */
const SLACK_MS = 50;

/**
 * What clients were told: that a repository has a blob, which keeps it there for the grace time. A client counts that time
 * from before it asked, so a blob that is missed within it was promised for certain.
 */
export class Promises {
  /** How long that is, in milliseconds. */
  readonly graceMs: number;
  /** By repository and digest: when somebody asked, who was told that the blob is there. */
  readonly #askedAtMs = new Map<string, number>();

  constructor(graceMs: number) {
    this.graceMs = graceMs;
  }

  /** Somebody who asked at `askedAtMs`, by `performance.now()`, was told that the repository has the blob. */
  tell({ name }: RepositoryModel, digest: string, askedAtMs: number): void {
    const key = `${name} ${digest}`;
    this.#askedAtMs.set(key, Math.max(askedAtMs, this.#askedAtMs.get(key) ?? 0));
  }

  /** Why the blob cannot have been missing from the repository ever since, or `undefined` where it can. */
  reasonToBeThere(repository: RepositoryModel, digest: string, since: Moment): string | undefined {
    const needed = this.reasonToBeNeeded(repository, digest, since);
    if (needed !== undefined) return needed;
    if (repository.blob(digest).mayBe(false, since)) return undefined;
    const agoMs = performance.now() - (this.#askedAtMs.get(`${repository.name} ${digest}`) ?? 0);
    return agoMs < this.graceMs - SLACK_MS
      ? `somebody who asked ${Math.round(agoMs)} ms ago was told that it is there`
      : undefined;
  }

  /** Why a manifest of the repository has needed the blob ever since, or `undefined` where perhaps none has. */
  reasonToBeNeeded(repository: RepositoryModel, digest: string, since: Moment): string | undefined {
    const needing = [...repository.manifests.values()].find(({ blobs, present }) =>
      blobs.includes(digest) && !present.mayBe(false, since)
    );
    return needing && `${needing.digest} is there and refers to it`;
  }
}
