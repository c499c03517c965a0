/** Shows how far a long piece of work is: a bar on a terminal, plain lines elsewhere. Both on standard error. */

import process from "node:process";
import { formatBytes, formatDuration } from "./format.ts";
import { harmless, writeNote } from "./output.ts";
import type { Absent } from "./shape.ts";
import { clip } from "./table.ts";

/** How far it is. */
export interface Progress {
  readonly phase: string;
  readonly done: number;
  readonly total?: number | Absent;
  readonly unit: string;
  readonly bytes?: number | Absent;
}

/** Shows progress until it is disposed of. */
export interface ProgressView extends Disposable {
  update(progress: Progress): void;
  /** Takes the bar away, until the next update: something else is to be shown. */
  pause(): void;
}

/** What of `cli-progress` is used. Its published types bring those of Node, which disagree with Deno's. */
interface CliProgress {
  readonly default: { readonly SingleBar: new (options: Readonly<Record<string, unknown>>) => Bar };
}

interface Bar {
  start(total: number, value: number): void;
  update(value: number): void;
  stop(): void;
}

const BAR_COLUMNS = 20;
const PLAIN_INTERVAL_MS = 10_000;
/** Rates are those of the last so many milliseconds. */
const RATE_WINDOW_MS = 5_000;

/** A view of something called `label`. */
export async function openProgress(label: string): Promise<ProgressView> {
  const columns = Deno.stderr.isTerminal() && Deno.env.get("TERM") !== "dumb"
    ? process.stderr.columns ?? 0
    : 0;
  return columns > 0 ? await openBar(label) : openLines(label);
}

async function openBar(label: string): Promise<ProgressView> {
  const { default: { SingleBar } } = await import("cli-progress") as unknown as CliProgress;
  let bar: Bar | undefined;
  const meter = createMeter();
  let line = "";
  const open = () => {
    const opened = new SingleBar({
      stream: process.stderr,
      hideCursor: true,
      clearOnComplete: true,
      gracefulExit: false,
      format: () => clip(line, (process.stderr.columns ?? 80) - 1),
    });
    opened.start(1, 0);
    return opened;
  };
  const pause = () => {
    bar?.stop();
    bar = undefined;
  };
  return {
    update(state) {
      line = `${label} ${formatBar(state)}${formatState(state, meter(state))}`;
      bar ??= open();
      bar.update(0);
    },
    pause,
    [Symbol.dispose]: pause,
  };
}

/** A line for each phase, and one now and then. */
function openLines(label: string): ProgressView {
  let phase: string | undefined;
  let shownAtMs = 0;
  const meter = createMeter();
  return {
    update(state) {
      const pace = meter(state);
      if (state.phase === phase && Date.now() - shownAtMs < PLAIN_INTERVAL_MS) return;
      [phase, shownAtMs] = [state.phase, Date.now()];
      writeNote(`${label} ${formatState(state, pace)}`);
    },
    pause() {},
    [Symbol.dispose]() {},
  };
}

function formatBar({ done, total }: Progress): string {
  if (!total || total <= 0) return "";
  const share = Math.min(1, Math.max(0, done / total));
  const full = Math.round(share * BAR_COLUMNS);
  return `${"█".repeat(full)}${"░".repeat(BAR_COLUMNS - full)} ${Math.floor(share * 100)}% `;
}

/** How fast it is going: `unit`s, or bytes, in a second. */
interface Pace {
  readonly unitsPerS: number;
  readonly bytesPerS: number;
}

function formatState({ phase, done, total, unit, bytes }: Progress, pace: Pace | undefined): string {
  const counted = !total ? `${done}` : `${done}/${total}`;
  const parts = [`${harmless(phase)} ${counted} ${harmless(unit)}`];
  if (bytes) parts.push(formatBytes(bytes));
  if (pace) {
    parts.push(
      pace.bytesPerS > 0 ? `${formatBytes(pace.bytesPerS)}/s` : `${formatRate(pace.unitsPerS)}/s`,
    );
    const restS = !total ? Infinity : (total - done) / pace.unitsPerS;
    if (Number.isFinite(restS) && restS > 0) parts.push(`${formatDuration(restS)} left`);
  }
  return parts.join(", ");
}

function formatRate(rate: number): string {
  return rate >= 10 ? String(Math.round(rate)) : rate.toFixed(1);
}

interface Sample {
  readonly atMs: number;
  readonly done: number;
  readonly bytes: number;
}

/** Measures how fast a phase has been going of late; `undefined` until that is known. */
function createMeter(): (progress: Progress) => Pace | undefined {
  let phase: string | undefined;
  let samples: Sample[] = [];
  return (state) => {
    if (state.phase !== phase) [phase, samples] = [state.phase, []];
    const now: Sample = { atMs: performance.now(), done: state.done, bytes: state.bytes ?? 0 };
    samples = [...samples.filter(({ atMs }) => now.atMs - atMs <= RATE_WINDOW_MS), now];
    const [first] = samples;
    const seconds = (now.atMs - first!.atMs) / 1_000;
    if (seconds < 0.5) return undefined;
    return {
      unitsPerS: Math.max(0, now.done - first!.done) / seconds,
      bytesPerS: Math.max(0, now.bytes - first!.bytes) / seconds,
    };
  };
}
