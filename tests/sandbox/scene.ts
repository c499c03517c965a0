/** Fixture plugins, started behind either wall. */

import type { Storage } from "../../plugins/contract/storage.ts";
import {
  type PluginEvent,
  type PluginLimits,
  type PluginPermissions,
  type RunningPlugin,
  startPlugin,
} from "../../server/sandbox/mod.ts";
import { assertEquals } from "../support/assert.ts";
import { fromFileUrl } from "../support/paths.ts";

/** The walls that there are. */
export const WALLS = ["worker", "process"] as const;

/** How a fixture is started. */
export interface Scene {
  /** The fixture: a file of `fixtures/plugins`, without its extension. */
  readonly plugin: string;
  readonly isolation: (typeof WALLS)[number];
  readonly permissions?: PluginPermissions;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly limits?: Partial<PluginLimits>;
}

/** A fixture that runs. */
export interface Stage extends AsyncDisposable {
  readonly plugin: RunningPlugin;
  readonly storage: Storage;
  /** What was logged. */
  readonly events: readonly PluginEvent[];
  /** Waits for a line of the log, from the first on, and answers it. */
  logged(pattern: RegExp): Promise<string>;
  /** Waits until it serves calls, anew if need be. */
  recover(): Promise<void>;
}

const FOLDER = fromFileUrl(new URL("./fixtures/plugins", import.meta.url));

/** Limits that let a test see in a moment what takes a server half a minute. */
export const SHORT: Partial<PluginLimits> = {
  callMs: 1_500,
  heartbeatMs: 100,
  hungMs: 2_000,
  restartMs: [10, 200],
};

const PATIENCE_MS = 45_000;

/** Starts a fixture. */
export async function openStage(scene: Scene): Promise<Stage> {
  const events: PluginEvent[] = [];
  let wake = Promise.withResolvers<void>();
  const log = (event: PluginEvent) => {
    events.push(event);
    wake.resolve();
    wake = Promise.withResolvers();
  };
  const { plugin: name, isolation, permissions = {}, options = {}, limits = SHORT } = scene;
  const plugin = await startPlugin(
    { name, kind: "storage", folder: FOLDER, entry: `${name}.ts`, isolation, permissions, options },
    { log, limits },
  );
  const logged = async (pattern: RegExp) => {
    const patience = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      const found = events.find(({ message }) => pattern.test(message));
      if (found) return found.message;
      if (patience.aborted) {
        throw new Error(`Not logged, ${pattern}: ${events.map(({ message }) => message).join("; ")}`);
      }
      await Promise.race([wake.promise, new Promise((resolve) => patience.onabort = resolve)]);
    }
  };
  const recover = async () => {
    for (;;) {
      const woken = wake.promise;
      const facts = await plugin.serve("storage").stat("healthy").catch(() => undefined);
      if (facts) return assertEquals(facts, HEALTHY);
      // It is down, or goes down with this call: both are followed by a line of the log.
      await woken;
    }
  };
  return {
    plugin,
    storage: plugin.serve("storage"),
    events,
    logged,
    recover,
    [Symbol.asyncDispose]: () => plugin.close(),
  };
}

/** What a fixture's `stat("healthy")` answers while it serves. */
export const HEALTHY = { size: 1, modifiedAtMs: 2 };
