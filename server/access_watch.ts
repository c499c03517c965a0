import { isDeepStrictEqual } from "node:util";
import type { AccessStore, StoredAccess } from "./access/access_store.ts";
import type { Log } from "./observe/log.ts";

/** How often the store is asked whether something changed, in milliseconds: what a change may take at other replicas. */
const INTERVAL_MS = 250;

/** How often all of it is read, in milliseconds: whoever changes something may end before it has told of it. */
const READ_ALL_MS = 30_000;

/** Follows what the store says of access. */
export interface AccessWatch {
  /** Looks now. When it has answered, what was written before is taken over, or the log says why it is not yet. */
  refresh(): Promise<void>;
  /** Ends the watch, when the look that is under way has ended. */
  stop(): Promise<void>;
}

/** Tells of identities, roles and bindings of the store whenever they changed. */
export function watchAccess(
  store: Pick<AccessStore, "version" | "read">,
  { version, stored, onChange, log }: {
    /** What they were when they were read last. */
    readonly version: string;
    readonly stored: StoredAccess;
    /** What it throws is told to the log, and it is told again. */
    readonly onChange: (stored: StoredAccess) => Promise<void>;
    readonly log: Log;
  },
): AccessWatch {
  let known = { version, stored, readAtMs: performance.now() };
  const look = async () => {
    const readAtMs = performance.now();
    const found = await store.version();
    const isChanged = found !== known.version;
    if (!isChanged && readAtMs - known.readAtMs < READ_ALL_MS) return;
    const read = await store.read();
    if (isChanged || !isDeepStrictEqual(read, known.stored)) await onChange(read);
    known = { version: found, stored: read, readAtMs };
  };
  const tryLook = () =>
    look().catch((error: Error) =>
      log.warn("Cannot take over what the store says of access; will try again", { error: error.message })
    );
  let last: Promise<void> = Promise.resolve();
  let looking = 0;
  const refresh = () => {
    looking++;
    return last = last.then(tryLook).finally(() => looking--);
  };
  const timer = setInterval(() => looking === 0 && void refresh(), INTERVAL_MS);
  const stop = () => {
    clearInterval(timer);
    return last;
  };
  return { refresh, stop };
}
