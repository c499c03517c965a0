import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";

/** How many decrypted bytes may wait before no more are read: what bounds the memory of a connection. */
const BACKLOG_BYTES_MAX = 256 * 1024;
/** What is read at once: little while connections are idle, for there are many, much of what is large. */
const READ_BYTES = { small: 16 * 1024, large: 64 * 1024 } as const;

/**
 * A TCP connection as the stream that TLS is spoken over. The runtime's TLS takes in whatever it is given, however
 * slowly it is read from; so this stream looks at what waits decrypted, and reads on only while that is little.
 */
export class EncryptedStream extends Duplex {
  readonly #connection: Deno.TcpConn;
  #backlog: () => number = () => 0;
  #isHeld = false;
  #readBytes: number = READ_BYTES.small;

  constructor(connection: Deno.TcpConn) {
    super({ highWaterMark: BACKLOG_BYTES_MAX });
    this.#connection = connection;
  }

  /** Names how to learn how many decrypted bytes wait. */
  watch(backlog: () => number): void {
    this.#backlog = backlog;
  }

  /** Says that decrypted bytes were taken: reads on, if it had stopped. */
  proceed(): void {
    if (!this.#isHeld || this.#backlog() >= BACKLOG_BYTES_MAX) return;
    this.#isHeld = false;
    this.#pull();
  }

  override _read(): void {
    if (this.#backlog() >= BACKLOG_BYTES_MAX) this.#isHeld = true;
    else this.#pull();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    writeAll(this.#connection, chunk).then(() => done(), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#connection.closeWrite().then(() => done(), () => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    closeQuietly(this.#connection);
    done(error);
  }

  #pull(): void {
    const buffer = Buffer.allocUnsafeSlow(this.#readBytes);
    this.#connection.read(buffer).then(
      (count) => {
        this.#readBytes = (count ?? 0) < READ_BYTES.small ? READ_BYTES.small : READ_BYTES.large;
        this.push(count === null ? null : buffer.subarray(0, count));
      },
      (error) => void this.destroy(error),
    );
  }
}

/** Writes all of `bytes`. */
export async function writeAll(connection: Deno.Conn<Deno.Addr>, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length;) offset += await connection.write(bytes.subarray(offset));
}

/** Closes a connection that may be closed already. */
export function closeQuietly(connection: Deno.Conn<Deno.Addr>): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
