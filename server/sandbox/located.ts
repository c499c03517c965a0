import { PluginError } from "../../plugins/contract/error.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { appendFile, openLocated, readFile } from "./located_file.ts";
import type { PluginPermissions } from "./permissions.ts";

/** What a storage plugin that locates its objects is used through. */
export interface LocatedOptions {
  readonly permissions: PluginPermissions;
  /** Told when the plugin points to where it may not go itself. */
  readonly onBreach: (reason: string) => void;
}

/**
 * `remote`, but for `open` and `append`, whose bytes the core reads and writes itself where the plugin says they are.
 * What the core gets has no `locate`.
 */
export function locatedStorage(remote: Storage, options: LocatedOptions): Storage {
  const { locate, ...storage } = remote;
  if (!locate) return storage;
  return {
    ...storage,
    async open(key, span) {
      const location = await locate(key, "read");
      if (!location) return await storage.open(key, span);
      const file = openLocated(location, "read", options);
      return file && readFile(file, span);
    },
    async append(key, offset, body) {
      try {
        // An object that is not there is made by `locate`; where that is a conflict it must not be.
        if (offset > 0 && !await storage.stat(key)) throw conflict(key, offset, 0);
        const location = await locate(key, "append");
        if (!location) return await storage.append(key, offset, body);
        using file = openLocated(location, "write", options);
        if (!file) throw new PluginError("unavailable", `Cannot append to ${key}: its file is gone`);
        const { size } = file.statSync();
        if (size !== offset) throw conflict(key, offset, size);
        return await appendFile(file, offset, body);
      } catch (error) {
        if (!body.locked) await body.cancel(error).catch(() => {});
        throw error;
      }
    },
  };
}

function conflict(key: string, offset: number, size: number): PluginError {
  return new PluginError("conflict", `Cannot append to ${key}: it has ${size} bytes, not ${offset}`);
}
