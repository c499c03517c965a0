/**
 * A load balancer for tests: it sends each request to the next replica in turn, and never two requests of one upload,
 * one after the other, to the same. Bytes go through as they come, in both directions; Host and Location stay as they are.
 *
 * @module
 */

import {
  answerExtent,
  endsConnection,
  fieldOf,
  formatHead,
  type Head,
  NoHttp,
  requestExtent,
  requestLine,
  statusOf,
  WireReader,
  writeAll,
} from "./http_wire.ts";
import { Loopback } from "./loopback.ts";

/** A request that was answered. */
export interface RelayedRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly status: number;
  /** Which replica answered. */
  readonly replica: number;
}

interface Chosen {
  readonly replica: number;
  readonly connection: Deno.TcpConn;
}

/** A replica that has refused a connection is not asked again for this long, unless all have. */
const OUT_MS = 200;

const NOBODY = lastAnswer("503 Service Unavailable", "Retry-After: 1");
const UNREADABLE = lastAnswer("400 Bad Request");

/** Stands before replicas that listen on loopback. */
export class RoundRobin implements AsyncDisposable {
  readonly #loopback = new Loopback((connection) => this.#serve(connection));
  readonly #ports: number[];
  readonly #outUntilMs: number[];
  /** By the path of an upload: which replica had its last request. */
  readonly #lastOf = new Map<string, number>();
  #requests: RelayedRequest[] = [];
  #turn = 0;

  /** `ports`: where the replicas listen. */
  constructor(ports: readonly number[]) {
    this.#ports = [...ports];
    this.#outUntilMs = ports.map(() => 0);
  }

  /** Its base, without a slash at the end. */
  get url(): string {
    return `http://127.0.0.1:${this.#loopback.port}`;
  }

  /** What was answered since the last `forget`, in the order in which the answers began. */
  get requests(): readonly RelayedRequest[] {
    return this.#requests;
  }

  /** Forgets what was answered. */
  forget(): void {
    this.#requests = [];
  }

  /** Sends a replica no requests, as a load balancer does whose health checks have failed. */
  drop(replica: number): void {
    this.#outUntilMs[replica] = Infinity;
  }

  /** Sends a replica requests (again), at this port. */
  take(replica: number, port: number): void {
    this.#ports[replica] = port;
    this.#outUntilMs[replica] = 0;
  }

  /** Ends all connections. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#loopback[Symbol.asyncDispose]();
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    try {
      await this.#serveAll(client, new WireReader(client));
    } catch (error) {
      if (error instanceof NoHttp) await writeAll(client, UNREADABLE);
      else throw error;
    }
  }

  async #serveAll(client: Deno.TcpConn, reader: WireReader): Promise<void> {
    for (let head; (head = await reader.head());) {
      const chosen = await this.#choose(uploadOf(requestLine(head).target));
      if (!chosen) return await writeAll(client, NOBODY);
      try {
        if (!await this.#relay(head, { client, reader, chosen })) return;
      } finally {
        this.#loopback.end(chosen.connection);
      }
    }
  }

  /** Hands a request on, and its answer back. Answers whether another request can follow. */
  async #relay(request: Head, { client, reader, chosen: { replica, connection } }: {
    readonly client: Deno.TcpConn;
    readonly reader: WireReader;
    readonly chosen: Chosen;
  }): Promise<boolean> {
    const { method, target } = requestLine(request);
    await writeAll(connection, formatHead(request));
    const sending = this.#send(reader, request, connection);
    const answers = new WireReader(connection);
    let answer: Head | undefined;
    do {
      answer = await answers.head();
      if (!answer) return false;
      if (statusOf(answer) >= 200) this.#note(answer, { method, target, status: statusOf(answer), replica });
      await writeAll(client, formatHead(answer));
    } while (statusOf(answer) < 200);
    const extent = answerExtent(answer, method);
    for await (const piece of answers.body(extent)) await writeAll(client, piece);
    if (endsConnection(answer) || extent === "connection") return false;
    return await sending && !endsConnection(request);
  }

  /** Hands the body on. Answers whether it was all sent. */
  async #send(reader: WireReader, request: Head, connection: Deno.Conn): Promise<boolean> {
    let isTaken = true;
    try {
      for await (const piece of reader.body(requestExtent(request))) {
        if (isTaken) await writeAll(connection, piece).catch(() => isTaken = false);
        if (!isTaken) return false;
      }
      return true;
    } catch {
      // The client is gone: nobody waits for an answer.
      this.#loopback.end(connection);
      return false;
    }
  }

  #note(answer: Head, request: RelayedRequest): void {
    this.#requests.push(request);
    const upload = uploadOf(fieldOf(answer, "location") ?? request.target);
    if (upload !== undefined) this.#lastOf.set(upload, request.replica);
  }

  /** Connects to the replica whose turn it is, or, where that refuses, to one after it. */
  async #choose(upload: string | undefined): Promise<Chosen | undefined> {
    for (const replica of this.#order(upload)) {
      try {
        const connection = await this.#loopback.connect(this.#ports[replica]!);
        if (upload !== undefined) this.#lastOf.set(upload, replica);
        return { replica, connection };
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
        this.#outUntilMs[replica] = Math.max(this.#outUntilMs[replica]!, performance.now() + OUT_MS);
      }
    }
    return undefined;
  }

  #order(upload: string | undefined): number[] {
    const first = this.#turn++;
    const last = upload === undefined ? undefined : this.#lastOf.get(upload);
    const inTurn = this.#ports.map((_, index) => (first + index) % this.#ports.length);
    const others = inTurn.filter((replica) => replica !== last);
    const order = last === undefined ? inTurn : [...others, last];
    const nowMs = performance.now();
    const up = order.filter((replica) => this.#outUntilMs[replica]! <= nowMs);
    const out = order.filter((replica) => !up.includes(replica) && this.#outUntilMs[replica] !== Infinity);
    return [...up, ...out];
  }
}

/** The path of the upload that a target or a Location names. */
function uploadOf(target: string): string | undefined {
  return /\/v2\/.+\/blobs\/uploads\/[^/?]+/.exec(target)?.[0];
}

function lastAnswer(status: string, ...fields: readonly string[]): Uint8Array {
  const lines = [`HTTP/1.1 ${status}`, ...fields, "Content-Length: 0", "Connection: close", "", ""];
  return new TextEncoder().encode(lines.join("\r\n"));
}
