/** How far a long piece of work is. */
export interface Progress {
  /** What is being done now, in a word or two: `mark`, `sweep`. */
  readonly phase: string;
  /** How many `unit`s of this phase are done. */
  readonly done: number;
  /** How many there are; absent where that is not known. */
  readonly total?: number;
  /** What is counted: `manifests`, `blobs`. */
  readonly unit: string;
  /** How many bytes were read, freed or moved so far, where that matters. */
  readonly bytes?: number;
  /** Where another run may go on from. */
  readonly cursor?: string;
}

/** A long piece of work, as whoever does it sees whoever runs it. */
export interface Task {
  /** Aborted where the work is to stop: cancelled, or the server stops. The work ends at the next good place by throwing `signal.reason`. */
  readonly signal: AbortSignal;
  /** Where an earlier run got to, as it said; `undefined`: from the beginning. */
  readonly cursor: string | undefined;
  /** Tells how far it is; cheap, so it may be called for every item. */
  report(progress: Progress): void;
  /**
   * Adds one entry, any JSON value, to a list that may grow longer than a report should be: it is kept beside the report,
   * and read in pages. Cheap: entries are written in bunches; wait for the answer, it slows down whoever is faster than the store.
   */
  line(value: unknown): Promise<void>;
}
