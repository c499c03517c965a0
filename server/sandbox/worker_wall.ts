import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Channel, ChannelEvents } from "../../plugins/contract/wire.ts";
import type { PluginDeclaration } from "./declaration.ts";
import { isBuiltIn, vetImports } from "./imports.ts";

const PLUGINS = fileURLToPath(new URL("../../plugins", import.meta.url));
const CONTRACT = fileURLToPath(new URL("../../plugins/contract", import.meta.url));

/** Examines a plugin before it is loaded into a worker. Throws with what is refused. */
export async function vetWorker({ folder, entry }: PluginDeclaration): Promise<void> {
  await vetImports(join(folder, entry), { folder, builtIn: isBuiltIn(folder) });
}

/** Starts a Web Worker that has the plugin's permissions, and its own files to import. */
export function openWorker(declaration: PluginDeclaration, events: ChannelEvents): Channel {
  const worker = new Worker(new URL("./worker_guest.ts", import.meta.url), {
    type: "module",
    name: declaration.name,
    deno: { permissions: workerPermissions(declaration) },
  });
  worker.onmessage = ({ data }) => events.frame(data);
  worker.onmessageerror = () => events.gone("sent something that cannot be read");
  worker.onerror = (event) => {
    // Without this the host would end, too.
    event.preventDefault();
    events.gone(`crashed: ${event.message}`);
  };
  return {
    post: (frame, { give } = {}) => worker.postMessage(frame, give ? [frame[3]!.buffer] : []),
    close: () => {
      worker.terminate();
      return Promise.resolve();
    },
  };
}

function workerPermissions({ folder, permissions }: PluginDeclaration): Deno.PermissionOptionsObject {
  const { read = [], write, net, env, sys } = permissions;
  return {
    read: [...read, folder, isBuiltIn(folder) ? PLUGINS : CONTRACT],
    write: list(write),
    net: list(net),
    env: list(env),
    sys: list(sys) as false,
    run: false,
    ffi: false,
    import: false,
  };
}

/** Absent would mean: as the host. */
function list(grants: readonly string[] | undefined): string[] | false {
  return grants ? [...grants] : false;
}
