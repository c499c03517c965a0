/** A connection to Redis that is made again for ever, and whose calls fail soon while it is away. */

import { isIP } from "node:net";
import { PluginError } from "@sreg/contract/error.ts";
import { Redis } from "ioredis";
import type { RedisSettings } from "./settings.ts";

/** The longest that a call may take, in milliseconds. */
const CALL_MS = 2_000;

/** How long the start waits for a first word, in milliseconds: from a Redis that is there it comes in time. */
const START_MS = 3_000;

const RECONNECT_MS = [50, 2_000] as const;

/** What Redis answers while it cannot do something now. */
const PASSING = /^(?:LOADING|BUSY|READONLY|OOM|MISCONF|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS)\b/;

/** A call of Redis. */
export type RedisCall<T> = (client: Redis) => Promise<T>;

/** How a call is made. */
export interface CallOptions {
  /** How long to wait for the connection where there is none, in milliseconds. */
  readonly waitMs: number;
}

/** A connection to Redis. */
export class Connection {
  readonly client: Redis;
  readonly #place: string;
  #away = false;

  private constructor(settings: RedisSettings) {
    const { host, port, username, password, database, tls } = settings;
    this.#place = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    this.client = new Redis({
      ...{ host, port, db: database, lazyConnect: true },
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(tls && {
        tls: {
          // An address is no name: it is verified as what was connected to.
          ...(isIP(host) === 0 && { servername: host }),
          ...(tls.ca !== undefined && { ca: tls.ca }),
        },
      }),
      // What was not sent or not answered is not sent again by itself: whoever asked has long been told that it failed.
      ...{ enableOfflineQueue: false, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: null },
      ...{ connectTimeout: CALL_MS, commandTimeout: CALL_MS, socketTimeout: 2 * CALL_MS },
      retryStrategy: pauseMs,
      // The node that was reached only copies another now: the address may lead to the other one already.
      reconnectOnError: ({ message }) => message.startsWith("READONLY"),
    });
    // As many may wait for it at once as there are calls: that is no leak of memory, which the runtime would warn of.
    this.client.setMaxListeners(0);
    this.client.on("error", (error: Error) => this.#lose(error.message));
    this.client.on("close", () => this.#lose("the connection was closed"));
    this.client.on("ready", () => this.#find());
  }

  /**
   * Connects. One that is away now is waited for, later, by each call; one that refuses what it is told will go on refusing:
   * that fails.
   */
  static async open(settings: RedisSettings): Promise<Connection> {
    const connection = new Connection(settings);
    const refusal = await connection.#connect();
    if (refusal === undefined) return connection;
    connection.client.disconnect();
    throw new PluginError("failed", `Cannot connect to Redis at ${connection.#place}: ${refusal}`);
  }

  /** Whether it can be used now. */
  get isReady(): boolean {
    return this.client.status === "ready";
  }

  /** Calls Redis. Every failure is a `PluginError`. */
  async call<T>(work: RedisCall<T>, { waitMs }: CallOptions): Promise<T> {
    try {
      if (!this.isReady) await this.#ready(waitMs);
      return await work(this.client);
    } catch (error) {
      throw this.#failure(error as Error);
    }
  }

  /** A second connection to the same Redis, for whoever listens on it. */
  async another(): Promise<Redis> {
    const listener = this.client.duplicate({ commandTimeout: CALL_MS });
    listener.on("error", () => {});
    await listener.connect().catch(() => {});
    return listener;
  }

  /** Why it will never connect; `undefined`: it has, or may yet. */
  #connect(): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const timer = setTimeout(() => resolve(undefined), START_MS);
    this.client.once("ready", () => resolve(undefined));
    this.client.on("error", (error: Error) => {
      if (isRefusal(error)) resolve(error.message);
    });
    this.client.connect().catch((error: Error) => {
      if (isRefusal(error)) resolve(error.message);
    });
    return promise.finally(() => clearTimeout(timer));
  }

  async #ready(waitMs: number): Promise<void> {
    if (waitMs === 0) throw new Error("it is away");
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const come = () => resolve(true);
    const timer = setTimeout(() => resolve(false), waitMs);
    this.client.once("ready", come);
    const found = await promise;
    clearTimeout(timer);
    this.client.off("ready", come);
    if (!found) throw new Error("it is away");
  }

  #failure(error: Error): PluginError {
    const lasts = error.name === "ReplyError" && !PASSING.test(error.message);
    const message = `Cannot ask Redis at ${this.#place}: ${error.message}`;
    return new PluginError(lasts ? "failed" : "unavailable", message, { cause: error });
  }

  #lose(reason: string): void {
    if (this.#away) return;
    this.#away = true;
    console.warn(`Redis at ${this.#place} is away: ${reason}`);
  }

  #find(): void {
    if (this.#away) console.info(`Redis at ${this.#place} is there again`);
    this.#away = false;
  }
}

/** What another attempt will not change: a wrong password, an unknown database, a certificate of strangers. */
function isRefusal(error: Error): boolean {
  return error.name === "ReplyError" ? !PASSING.test(error.message) : /certificate/i.test(error.message);
}

/** Longer after each attempt, and not the same for all who wait. */
function pauseMs(attempt: number): number {
  const [shortestMs, longestMs] = RECONNECT_MS;
  return Math.min(longestMs, shortestMs * 2 ** (attempt - 1)) * (0.75 + Math.random() / 2);
}
