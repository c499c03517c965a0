import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { PluginError } from "../../plugins/contract/error.ts";
import type { Channel, ChannelEvents } from "../../plugins/contract/wire.ts";
import { WireHost, type WireLimits } from "../../plugins/contract/wire_host.ts";
import { type CallFacts, CallStatistics, type MethodFacts } from "./call_statistics.ts";
import { contractOf, type Contracts, type ServedKind } from "./contracts.ts";
import { formatTitle, type PluginDeclaration } from "./declaration.ts";
import type { StartOrder } from "./guest.ts";
import { grantedEnv } from "./permissions.ts";
import { openProcess } from "./process_wall.ts";
import { openWorker, vetWorker } from "./worker_wall.ts";

/** Something that an operator may want to know of a plugin. */
export interface PluginEvent {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  /** The plugin's name. */
  readonly plugin: string;
}

/** How a plugin is started. */
export interface PluginStartOptions {
  /** Told of restarts, and of what the plugin says to its console. */
  readonly log?: (event: PluginEvent) => void;
  /** Other limits than the usual ones. */
  readonly limits?: Partial<PluginLimits>;
}

/** What a plugin is held to. */
export interface PluginLimits extends WireLimits {
  /** Shortest and longest pause before a restart, in milliseconds. */
  readonly restartMs: readonly [shortest: number, longest: number];
  /** For a plugin in a process of its own: memory that may be resident, in bytes. */
  readonly memoryBytes: number;
}

/** What has happened to a plugin since it was started. */
export interface PluginFacts extends CallFacts {
  /** Whether it serves calls now. */
  readonly running: boolean;
  readonly restarts: number;
  /** Since when, without a restart, in milliseconds since 1970. */
  readonly startedAtMs: number;
  /** The methods that were called. */
  readonly methods: readonly MethodFacts[];
}

/** A plugin that serves its contract, until it is closed. While it is down its calls fail with `unavailable`. */
export interface RunningPlugin extends AsyncDisposable {
  /** What it serves, if that is the contract of `kind`; throws otherwise. */
  serve<Kind extends ServedKind>(kind: Kind): Contracts[Kind];
  facts(): PluginFacts;
  /** Ends it: calls under way fail. */
  close(): Promise<void>;
}

const LIMITS: PluginLimits = {
  startMs: 10_000,
  callMs: 30_000,
  heartbeatMs: 1_000,
  hungMs: 10_000,
  restartMs: [100, 30_000],
  memoryBytes: 512 * 1024 * 1024,
};

/** A plugin that ran for so long begins with the shortest pause again. */
const HEALTHY_MS = 60_000;

type OpenWall = (declaration: PluginDeclaration, events: ChannelEvents, limits: PluginLimits) => Channel;

const WALLS: Readonly<Record<PluginDeclaration["isolation"], OpenWall>> = {
  worker: openWorker,
  process: openProcess,
};

/** Starts a plugin in its sandbox. Rejects, with its name and the reason, where it does not start. */
export async function startPlugin(
  declaration: PluginDeclaration,
  { log = () => {}, limits = {} }: PluginStartOptions = {},
): Promise<RunningPlugin> {
  const plugin = new SandboxedPlugin(declaration, { log, limits: { ...LIMITS, ...limits } });
  try {
    await plugin.start();
    return plugin;
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`Cannot start ${formatTitle(declaration)}: ${message}`, { cause: error });
  }
}

class SandboxedPlugin implements RunningPlugin {
  readonly #declaration: PluginDeclaration;
  readonly #options: Required<PluginStartOptions> & { readonly limits: PluginLimits };
  readonly #title: string;
  #host: WireHost | undefined;
  #methods: readonly string[] = [];
  #contract: Contracts[ServedKind] | undefined;
  #closed = false;
  readonly #statistics = new CallStatistics();
  #startedAtMs = 0;
  #startedOnMs = 0;
  #failures = 0;
  #restarts = 0;
  #restartTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    declaration: PluginDeclaration,
    options: Required<PluginStartOptions> & { readonly limits: PluginLimits },
  ) {
    this.#declaration = declaration;
    this.#options = options;
    this.#title = formatTitle(declaration);
  }

  serve<Kind extends ServedKind>(kind: Kind): Contracts[Kind] {
    if (this.#declaration.kind !== kind) throw new TypeError(`${this.#title} is no ${kind} plugin`);
    return this.#contract as Contracts[Kind];
  }

  facts(): PluginFacts {
    return {
      running: this.#host !== undefined,
      restarts: this.#restarts,
      startedAtMs: this.#startedOnMs,
      ...this.#statistics.total(),
      methods: this.#statistics.methods(),
    };
  }

  async start(): Promise<void> {
    await this.#connect();
    this.#contract = this.#wrap();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#restartTimer);
    const host = this.#host;
    this.#host = undefined;
    await host?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #connect(): Promise<void> {
    const { kind, options, folder, entry, permissions, isolation } = this.#declaration;
    if (isolation === "worker") await vetWorker(this.#declaration);
    const host = this.#openHost();
    const order: StartOrder = {
      module: pathToFileURL(join(folder, entry)).href,
      kind,
      options,
      env: grantedEnv(permissions.env ?? []),
    };
    try {
      this.#methods = await host.start(order);
    } catch (error) {
      const { endReason } = host;
      await host.close();
      throw endReason === undefined ? error : new Error(`it ${endReason}`);
    }
    if (this.#closed) return await host.close();
    this.#startedAtMs = performance.now();
    this.#startedOnMs = Date.now();
    this.#host = host;
  }

  #openHost(): WireHost {
    const { limits, log } = this.#options;
    const { name: plugin, isolation, kind } = this.#declaration;
    const host: WireHost = new WireHost({
      title: this.#title,
      methods: contractOf(kind).methods,
      limits,
      open: (events) => WALLS[isolation](this.#declaration, events, limits),
      onLog: (level, message) => log({ level: level as PluginEvent["level"], message, plugin }),
      onEnd: (reason) => this.#host === host && this.#lose(reason),
      onCall: (name, ms, failed) => this.#statistics.record(name, ms, failed),
    });
    return host;
  }

  /** The contract, over calls. */
  #wrap(): Contracts[ServedKind] {
    const { kind, permissions } = this.#declaration;
    const { wrap } = contractOf(kind);
    const methods = this.#methods.map((name) =>
      [name, (...args: unknown[]) => this.#call(name, args)] as const
    );
    const onBreach = (reason: string) => this.#host?.end(reason);
    return wrap(Object.fromEntries(methods) as never, { permissions, onBreach });
  }

  #call(name: string, args: unknown[]): Promise<unknown> {
    while (args.length > 0 && args.at(-1) === undefined) args.pop();
    if (this.#host) return this.#host.call(name, args);
    this.#statistics.record(name, 0, true);
    const stream = args.find((argument) => argument instanceof ReadableStream);
    stream?.cancel().catch(() => {});
    return Promise.reject(new PluginError("unavailable", `Cannot ${name}: ${this.#title} is down`));
  }

  #lose(reason: string): void {
    this.#host = undefined;
    if (performance.now() - this.#startedAtMs > HEALTHY_MS) this.#failures = 0;
    this.#restartLater(reason);
  }

  #restartLater(reason: string): void {
    const [shortestMs, longestMs] = this.#options.limits.restartMs;
    const pauseMs = Math.min(longestMs, shortestMs * 2 ** this.#failures++);
    this.#tell("error", `${this.#title} ${reason}; it is restarted in ${pauseMs} ms`);
    this.#restartTimer = setTimeout(() => void this.#restart(), pauseMs);
  }

  async #restart(): Promise<void> {
    this.#restarts++;
    try {
      await this.#connect();
      if (!this.#closed) this.#tell("info", `${this.#title} runs again`);
    } catch (error) {
      if (!this.#closed) this.#restartLater(`did not start: ${(error as Error).message}`);
    }
  }

  #tell(level: PluginEvent["level"], message: string): void {
    this.#options.log({ level, message, plugin: this.#declaration.name });
  }
}
