/**
 * Repeats a request over some connections for some time, and says how fast it was answered.
 *
 * @module
 */

import { Connection, type Target } from "./client.ts";
import { readUsage, resetPeak } from "./process.ts";

/** One request, or one sequence of them, from first byte out to last byte in. Answers how many bytes of body moved. */
export type Run = (connection: Connection) => Promise<number>;

/** How long a measurement lasts: for `seconds`, but once on each connection, and `requestsMax` times at most. */
export interface Extent {
  readonly connections: number;
  readonly seconds: number;
  readonly requestsMax?: number;
}

/** What was seen in one measurement. */
export interface Sample {
  readonly seconds: number;
  readonly latenciesMs: readonly number[];
  readonly bytes: number;
  /** The server's, where its process is known. */
  readonly cpuSeconds?: number;
  readonly rssPeakBytes?: number;
}

/** Some samples of one row, in figures. */
export interface Summary {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly megabytesPerSecond: number;
  readonly cpuSeconds?: number;
  readonly rssPeakMib?: number;
}

/** Measures `run` against `target`. */
export async function measure(target: Target, run: Run, extent: Extent): Promise<Sample> {
  if (target.pid !== undefined) resetPeak(target.pid);
  const before = target.pid === undefined ? undefined : readUsage(target.pid);
  const load = await repeat(target, run, extent);
  if (before === undefined) return load;
  const after = readUsage(target.pid!);
  return {
    ...load,
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
    rssPeakBytes: after.rssPeakBytes,
  };
}

async function repeat(target: Target, run: Run, extent: Extent): Promise<Sample> {
  const connections = await Promise.all(
    Array.from({ length: extent.connections }, () => Connection.open(target)),
  );
  const latenciesMs: number[] = [];
  let [left, bytes] = [extent.requestsMax ?? Infinity, 0];
  const startedAt = performance.now();
  const endsAt = startedAt + extent.seconds * 1000;
  const loop = async (connection: Connection) => {
    let begunAt = performance.now();
    do {
      if (left-- <= 0) return;
      const moved = await run(connection);
      bytes += moved;
      const answeredAt = performance.now();
      latenciesMs.push(answeredAt - begunAt);
      begunAt = answeredAt;
    } while (begunAt < endsAt);
  };
  try {
    await Promise.all(connections.map(loop));
  } finally {
    for (const connection of connections) connection[Symbol.dispose]();
  }
  return { seconds: (performance.now() - startedAt) / 1000, latenciesMs, bytes };
}

/** Sums `samples` up. */
export function summarize(samples: readonly Sample[]): Summary {
  const seconds = sum(samples.map((sample) => sample.seconds));
  const latencies = samples.flatMap((sample) => sample.latenciesMs).sort((a, b) => a - b);
  const quantile = (share: number) => latencies[Math.ceil(latencies.length * share) - 1] ?? NaN;
  const usage = samples.every((sample) => sample.cpuSeconds !== undefined) && {
    cpuSeconds: sum(samples.map((sample) => sample.cpuSeconds ?? 0)),
    rssPeakMib: Math.max(...samples.map((sample) => sample.rssPeakBytes ?? 0)) / 2 ** 20,
  };
  return {
    requests: latencies.length,
    requestsPerSecond: latencies.length / seconds,
    p50Ms: quantile(0.5),
    p90Ms: quantile(0.9),
    p99Ms: quantile(0.99),
    megabytesPerSecond: sum(samples.map((sample) => sample.bytes)) / seconds / 1e6,
    ...usage,
  };
}

/** The middle of `numbers`. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
