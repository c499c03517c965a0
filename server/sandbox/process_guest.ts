/**
 * The inside of a plugin's own process: frames come on standard input and leave on standard output.
 *
 * @module
 */

import type { Frame, Post } from "../../plugins/contract/wire.ts";
import { encodeFrame, FrameReader } from "../../plugins/contract/wire_frames.ts";
import { createGuest } from "./guest.ts";
import { redirectConsole } from "./guest_console.ts";

const READ_BYTES = 256 * 1024;

const { stdin, stdout, exit } = Deno;

/** Waits until the host has taken the frame: a plugin cannot run ahead of it. */
const post: Post = (frame) => {
  for (const bytes of encodeFrame(frame)) {
    for (let at = 0; at < bytes.length;) at += stdout.writeSync(bytes.subarray(at));
  }
};

const receive = createGuest(post, () => redirectConsole(post));
const frames = new FrameReader();
const buffer = new Uint8Array(READ_BYTES);
for (let read = await stdin.read(buffer); read !== null; read = await stdin.read(buffer)) {
  frames.push(buffer.subarray(0, read), (frame) => receive(frame as Frame));
}
// The host has ended.
exit(0);
