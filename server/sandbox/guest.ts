/**
 * What runs around a plugin, inside its sandbox: loads its module when the host says so, then serves the host's calls.
 *
 * @module
 */

import type { CreatePlugin, PluginKind, PluginOptions } from "../../plugins/contract/plugin.ts";
import { describeError, FRAME, type Frame, type Post } from "../../plugins/contract/wire.ts";
import { WireGuest } from "../../plugins/contract/wire_guest.ts";
import { contractOf } from "./contracts.ts";

/** The host's order to start. */
export interface StartOrder {
  /** The URL of the plugin's module. */
  readonly module: string;
  readonly kind: PluginKind;
  readonly options: PluginOptions;
  /** The environment variables that it was granted. */
  readonly env: Readonly<Record<string, string>>;
}

/** What takes the frames of the host: the first must be the order to start, of which `prepare` is told before. */
export function createGuest(post: Post, prepare: (order: StartOrder) => void): (frame: Frame) => void {
  let guest: WireGuest | undefined;
  const start = async (order: StartOrder) => {
    try {
      prepare(order);
      guest = await load(order, post);
      post([FRAME.answer, 0, guest.methods]);
    } catch (error) {
      post([FRAME.failure, 0, describeError(error)]);
    }
  };
  return (frame) => {
    if (guest) guest.receive(frame);
    else if (frame[0] === FRAME.start) void start(frame[2] as StartOrder);
  };
}

async function load({ module, kind, options }: StartOrder, post: Post): Promise<WireGuest> {
  // The URL is not known beforehand, so what the module imports is loaded with the plugin's rights, not with the host's.
  const { create } = await import(module) as { readonly create?: CreatePlugin<object> };
  if (typeof create !== "function") throw new TypeError("its module exports no function create");
  const contract = await create(options);
  if (typeof contract !== "object" || contract === null) throw new TypeError("its create answered no object");
  return new WireGuest({ contract, methods: contractOf(kind).methods, post });
}
