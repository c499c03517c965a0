/** Bytes by a key that can only ever mean these bytes, such as a digest. The longest unused go first. */
export class ByteCache {
  readonly #entries = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly #bytesMax: number;
  #bytes = 0;

  /** Holds `bytesMax` bytes at most. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get(key: string): Uint8Array<ArrayBuffer> | undefined {
    const bytes = this.#entries.get(key);
    if (bytes) {
      this.#entries.delete(key);
      this.#entries.set(key, bytes);
    }
    return bytes;
  }

  set(key: string, bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#entries.has(key)) return;
    this.#entries.set(key, bytes);
    this.#bytes += bytes.byteLength;
    for (const [oldest, { byteLength }] of this.#entries) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#entries.delete(oldest);
      this.#bytes -= byteLength;
    }
  }
}
