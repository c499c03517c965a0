import { Buffer } from "node:buffer";
import type { TLSSocket } from "node:tls";

/**
 * What a client sent, decrypted, until it is taken. The runtime's TLS never stops to decrypt: a socket that is paused
 * hides what waits in it. So all is taken out of it as it comes, and waits here, where its length can be seen.
 */
export class DecryptedBytes {
  #chunks: Uint8Array[] = [];
  #length = 0;
  #isEnded = false;
  #wake = () => {};

  constructor(socket: TLSSocket) {
    socket.on("data", (chunk: Uint8Array) => {
      this.#chunks.push(chunk);
      this.#length += chunk.length;
      this.#wake();
    });
    for (const event of ["end", "close"]) {
      socket.on(event, () => {
        this.#isEnded = true;
        this.#wake();
      });
    }
  }

  /** How many bytes wait. */
  get length(): number {
    return this.#length;
  }

  /** Takes all that waits, as soon as something does; `null` at the end. */
  async take(): Promise<Uint8Array | null> {
    while (this.#length === 0) {
      if (this.#isEnded) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#length = 0;
    return bytes;
  }
}
