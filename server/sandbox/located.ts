import { PluginError } from "../../plugins/contract/error.ts";
import type { ByteSpan, OpenedObject, Storage } from "../../plugins/contract/storage.ts";
import { exactBytes } from "./exact_bytes.ts";
import { appendFile, claimFile, type LocatedOptions, openLocated, readFile } from "./located_file.ts";
import { openUrl } from "./located_url.ts";

/**
 * What the core gets of a storage plugin. It has no `locate`: where the plugin says where an object's bytes are, `open`
 * and `append` read and write them here; where they come by the wire they are held to the length that was promised.
 */
export function locatedStorage(remote: Storage, options: LocatedOptions): Storage {
  const { locate, ...wired } = remote;
  const storage: Storage = { ...wired, open: (key, span) => openWired(wired, key, span) };
  if (!locate) return storage;
  let appendsByWire = false;
  return {
    ...storage,
    async open(key, span) {
      const location = await locate(key, "read");
      if (!location) return await storage.open(key, span);
      if ("url" in location) return await openUrl(location, span, options) ?? await storage.open(key, span);
      const file = openLocated(location, "read", options);
      return file && readFile(file, span);
    },
    async append(key, offset, body, appended) {
      if (appendsByWire) return await storage.append(key, offset, body, appended);
      try {
        // An object that is not there is made by `locate`; where that is a conflict it must not be.
        if (offset > 0 && !await storage.stat(key)) throw conflict(key, offset, 0);
        // Where there is none it is not made, nor made again after it was deleted.
        const location = await locate(key, appended?.mustExist ? "read" : "append");
        appendsByWire = appended?.mustExist ? location !== undefined && "url" in location : !location;
        if (!location || appendsByWire) return await storage.append(key, offset, body, appended);
        if (!("file" in location)) throw new PluginError("failed", `Cannot append to ${key} at a URL`);
        using file = openLocated(location, "write", options);
        if (!file) throw conflict(key, offset, 0);
        if (!claimFile(file, location)) {
          throw new PluginError("conflict", `Cannot append to ${key}: another process does, or has moved it`);
        }
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

async function openWired(storage: Storage, key: string, span?: ByteSpan): Promise<OpenedObject | undefined> {
  const opened = await storage.open(key, span);
  return opened && { ...opened, body: exactBytes(opened.body, span?.length ?? opened.size) };
}

function conflict(key: string, offset: number, size: number): PluginError {
  return new PluginError("conflict", `Cannot append to ${key}: it has ${size} bytes, not ${offset}`);
}
