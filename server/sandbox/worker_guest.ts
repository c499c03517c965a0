/**
 * The inside of a Web Worker.
 *
 * @module
 */

import type { Frame, Post } from "../../plugins/contract/wire.ts";
import { createGuest } from "./guest.ts";
import { redirectConsole } from "./guest_console.ts";
import { harden } from "./harden.ts";

interface WorkerScope {
  postMessage(message: unknown, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<Frame>) => void) | null;
}

const scope = globalThis as unknown as WorkerScope;
const postMessage = scope.postMessage.bind(globalThis);

const post: Post = (frame, { give } = {}) => postMessage(frame, give ? [frame[3]!.buffer] : []);

const receive = createGuest(post, ({ env }) => {
  redirectConsole(post);
  harden(env);
});

scope.onmessage = ({ data }) => receive(data);
