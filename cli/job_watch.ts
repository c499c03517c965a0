/** Follows a job to its end, or until whoever watches has had enough. */

import { type Client, Unreachable } from "./client.ts";
import { askJob, type Job, jobPath } from "./job.ts";
import { harmless, writeNote } from "./output.ts";
import { openProgress, type ProgressView } from "./progress.ts";
import { askChoice, canAsk } from "./prompts.ts";
import { anything } from "./shape.ts";

const INTERVAL_MS = 400;
/** How soon a short job is seen to have ended. */
const FIRST_INTERVAL_MS = 60;
/** How long a server may be away, as when it is started anew. */
const PATIENCE_MS = 60_000;

/** Watches a job; `undefined`: it was left running. */
export async function watchJob(client: Client, id: string): Promise<Job | undefined> {
  using interrupts = listenForInterrupts();
  let view: ProgressView | undefined;
  try {
    let intervalMs = FIRST_INTERVAL_MS;
    for (;;) {
      const job = await askPatiently(client, id, interrupts.signal());
      if (job && job.state !== "running") return job;
      if (job?.progress) {
        view ??= await openProgress(harmless(job.kind));
        view.update(job.progress);
      }
      await Promise.race([delay(intervalMs), interrupts.next()]);
      intervalMs = Math.min(INTERVAL_MS, intervalMs * 1.5);
      if (!interrupts.take()) continue;
      view?.pause();
      if (await decide(client, id) === "leave") return undefined;
    }
  } finally {
    view?.[Symbol.dispose]();
  }
}

/** What to do after Ctrl-C. Whoever presses it once more leaves. */
async function decide(client: Client, id: string): Promise<"leave" | "follow"> {
  const choice = canAsk()
    ? await askChoice("The job is running", {
      choices: { leave: "Leave it running", cancel: "Cancel the job", follow: "Go on watching" },
      otherwise: "leave",
    })
    : "leave";
  if (choice === "cancel") {
    await client.ask({ method: "POST", path: jobPath(id, "cancel"), shape: anything });
    writeNote("The job is asked to stop");
  }
  if (choice !== "leave") return "follow";
  writeNote(`The job goes on: sregctl job follow ${harmless(id)}`);
  return "leave";
}

/** The job; waits while the server is away. `undefined`: somebody pressed Ctrl-C meanwhile. */
async function askPatiently(client: Client, id: string, stop: AbortSignal): Promise<Job | undefined> {
  const giveUpAtMs = Date.now() + PATIENCE_MS;
  for (let tries = 0; !stop.aborted; tries++) {
    try {
      return await askJob(client, id);
    } catch (error) {
      if (!(error instanceof Unreachable) || Date.now() > giveUpAtMs) throw error;
      if (tries === 0) writeNote(harmless(`${error.message}; waiting for it`));
      await delay(1_000);
    }
  }
  return undefined;
}

interface Interrupts extends Disposable {
  /** Aborted with the next Ctrl-C. */
  signal(): AbortSignal;
  /** Fulfilled with it. */
  next(): Promise<void>;
  /** Whether there was one since it was last asked. */
  take(): boolean;
}

function listenForInterrupts(): Interrupts {
  let controller = new AbortController();
  let pressed = Promise.withResolvers<void>();
  const onInterrupt = () => {
    controller.abort();
    pressed.resolve();
  };
  Deno.addSignalListener("SIGINT", onInterrupt);
  return {
    signal: () => controller.signal,
    next: () => pressed.promise,
    take() {
      const { aborted } = controller.signal;
      if (aborted) [controller, pressed] = [new AbortController(), Promise.withResolvers<void>()];
      return aborted;
    },
    [Symbol.dispose]: () => Deno.removeSignalListener("SIGINT", onInterrupt),
  };
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
