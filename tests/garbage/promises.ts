import type { RepositoryModel } from "../crash/model.ts";
import { type Moment, moment } from "../crash/register.ts";

/** Somebody was told that a repository has a blob. */
interface Telling {
  /** When it was asked, by `performance.now()`. */
  readonly askedAtMs: number;
  /** When the answer was there. */
  readonly at: Moment;
}

/** How much earlier than the client's clock says a promise may end: files are dated by a clock that ticks. */
const SLACK_MS = 50;

/** How many tellings of one blob are remembered. */
const TELLINGS_MAX = 30;

/**
 * What clients were told: that a repository has a blob, which keeps it there for the grace time. A client counts that time
 * from before it asked, so a blob that is missed within it was promised for certain.
 */
export class Promises {
  /** How long that is, in milliseconds. */
  readonly graceMs: number;
  /** By repository and digest. */
  readonly #tellings = new Map<string, readonly Telling[]>();

  constructor(graceMs: number) {
    this.graceMs = graceMs;
  }

  /** Somebody who asked at `askedAtMs`, by `performance.now()`, has just been told that the repository has the blob. */
  tell({ name }: RepositoryModel, digest: string, askedAtMs: number): void {
    const key = `${name} ${digest}`;
    const telling = { askedAtMs, at: moment() };
    this.#tellings.set(key, [...this.#tellings.get(key) ?? [], telling].slice(-TELLINGS_MAX));
  }

  /** Why the blob cannot have been missing from the repository ever since, or `undefined` where it can. */
  reasonToBeThere(repository: RepositoryModel, digest: string, since: Moment): string | undefined {
    const needed = this.reasonToBeNeeded(repository, digest, since);
    if (needed !== undefined) return needed;
    if (repository.blob(digest).mayBe(false, since)) return undefined;
    const known = (this.#tellings.get(`${repository.name} ${digest}`) ?? []).filter(({ at }) => at < since);
    const agoMs = performance.now() - Math.max(...known.map(({ askedAtMs }) => askedAtMs));
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
