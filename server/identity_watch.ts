import type { StoredIdentity } from "../plugins/contract/auth.ts";
import type { Identities } from "./access/identities.ts";
import type { Log } from "./observe/log.ts";

/** How often the store is asked whether identities changed, in milliseconds: what a change may take at other replicas. */
const INTERVAL_MS = 500;

/** Tells of the store's identities whenever they changed; answers how to stop that. */
export function watchIdentities(
  identities: Identities,
  { version, onChange, log }: {
    /** What they were when they were read last. */
    readonly version: string;
    readonly onChange: (stored: readonly StoredIdentity[]) => Promise<void>;
    readonly log: Log;
  },
): () => void {
  let known = version;
  let isLooking = false;
  const look = async () => {
    const found = await identities.version();
    if (found === known) return;
    await onChange(await identities.list());
    known = found;
  };
  const timer = setInterval(async () => {
    if (isLooking) return;
    isLooking = true;
    try {
      await look();
    } catch (error) {
      log.warn("Cannot take over the store's identities; will try again", {
        error: (error as Error).message,
      });
    } finally {
      isLooking = false;
    }
  }, INTERVAL_MS);
  return () => clearInterval(timer);
}
