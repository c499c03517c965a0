/**
 * A lock plugin over Redis or Valkey: for servers that share a store.
 *
 * @module
 */

import { PluginError } from "@sreg/contract/error.ts";
import type { HeldLock, Lock, LockRequest } from "@sreg/contract/lock.ts";
import type { CreatePlugin } from "@sreg/contract/plugin.ts";
import { Connection, type RedisCall } from "../../redis/connection.ts";
import { readSettings, type RedisOptions } from "../../redis/settings.ts";
import { ACQUIRE, RELEASE, RENEW } from "./scripts.ts";
import { Wakings } from "./wakings.ts";

/** The settings of the plugin. */
export interface RedisLockOptions extends RedisOptions {
  /** The longest hold, in milliseconds. */
  readonly ttl: number;
}

const TTL_MS = [1_000, 300_000] as const;

/** How long a call waits for a connection that is being made, in milliseconds. */
const CONNECT_MS = 2_000;

/** How often who waits looks by itself, in milliseconds: a waking may be lost with a connection. */
const LOOK_MS = 1_000;

/** Connects to the Redis that keeps the locks. */
export const create: CreatePlugin<Lock, RedisLockOptions> = async (options) => {
  const { ttl, key_prefix: prefix } = options;
  const [leastMs, mostMs] = TTL_MS;
  if (ttl < leastMs || ttl > mostMs) {
    throw new PluginError("failed", `Cannot use ttl: expected from 1s to 5m, found ${ttl} ms`);
  }
  const connection = await Connection.open(readSettings(options));
  const channel = `${prefix}freed`;
  const wakings = new Wakings(await connection.another(), channel);
  if (connection.isReady) await connection.call(warnOfEviction, { waitMs: 0 });
  return new RedisLock(connection, { prefix, channel, ttlMs: ttl, wakings });
};

interface RedisLockParts {
  readonly prefix: string;
  /** Tells the names of locks that are released. */
  readonly channel: string;
  readonly ttlMs: number;
  readonly wakings: Wakings;
}

type Attempt = { readonly fence: number } | { readonly worthInMs: number };

class RedisLock implements Lock {
  readonly #connection: Connection;
  readonly #parts: RedisLockParts;

  constructor(connection: Connection, parts: RedisLockParts) {
    this.#connection = connection;
    this.#parts = parts;
  }

  async acquire(name: string, request: LockRequest): Promise<HeldLock | undefined> {
    const { wakings } = this.#parts;
    const ttlMs = Math.min(request.ttlMs, this.#parts.ttlMs);
    const untilMs = performance.now() + request.waitMs;
    using place = wakings.queue(name);
    if (!await place.first(request.waitMs)) return undefined;
    for (;;) {
      const token = crypto.randomUUID();
      const waking = place.waking();
      const attempt = await this.#try(name, token, ttlMs);
      if ("fence" in attempt) return { token, fence: attempt.fence, ttlMs };
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0) return undefined;
      await waking(Math.min(leftMs, attempt.worthInMs + 1, LOOK_MS));
    }
  }

  async renew(name: string, token: string, ttlMs: number): Promise<boolean> {
    const holdMs = Math.min(ttlMs, this.#parts.ttlMs);
    return await this.#call((client) => client.eval(RENEW, 1, this.#keyOf(name), token, holdMs)) === 1;
  }

  async release(name: string, token: string): Promise<boolean> {
    const { channel } = this.#parts;
    return await this.#call((client) => client.eval(RELEASE, 1, this.#keyOf(name), token, channel, name)) ===
      1;
  }

  async #try(name: string, token: string, ttlMs: number): Promise<Attempt> {
    const { prefix, ttlMs: longestMs } = this.#parts;
    const keys = [this.#keyOf(name), `${prefix}fence`] as const;
    const answer = await this.#call((client) => client.eval(ACQUIRE, 2, ...keys, token, ttlMs, longestMs));
    const [fence, worthInMs = 0] = answer as [fence: string, worthInMs?: number];
    return fence === "" ? { worthInMs: Math.max(0, worthInMs) } : { fence: Number(fence) };
  }

  #call<T>(work: RedisCall<T>): Promise<T> {
    return this.#connection.call(work, { waitMs: CONNECT_MS });
  }

  #keyOf(name: string): string {
    return `${this.#parts.prefix}lock:${name}`;
  }
}

const warnOfEviction: RedisCall<void> = async (client) => {
  const memory = await client.info("memory");
  const policy = /^maxmemory_policy:(.*?)\r?$/m.exec(memory)?.[1];
  if (/^maxmemory:0\r?$/m.test(memory) || policy === "noeviction") return;
  console.warn(`Redis throws keys away when it is full (maxmemory-policy ${policy}): locks may be lost`);
};
