import { type Answer, Connection, LostAnswer, type RequestParts } from "../crash/connection.ts";
import type { Random } from "../crash/random.ts";
import { type RunningRegistry, startRegistry } from "../support/registry.ts";

/** What servers are started with. */
export interface ClusterOptions {
  /** How many. */
  readonly count: number;
  /** The folder that they share. */
  readonly dataDir: string;
  /** Text of their configuration file. */
  readonly config: string;
  readonly random: Random;
  /** Told what no server may do. */
  readonly complain: (violation: string) => void;
}

/** One run of a server, from its start to its end. */
interface Run {
  readonly server: RunningRegistry;
  readonly connection: Connection;
  /** Whether it is being ended: what breaks from then on is no fault. */
  isEnding: boolean;
}

const PATIENCE_MS = 20;

/** Servers over one folder. Each request goes to any of those that live; one that none answers is lost. */
export class Cluster implements AsyncDisposable {
  readonly #options: ClusterOptions;
  readonly #runs: (Run | undefined)[] = [];
  #sent = 0;
  #kills = 0;

  private constructor(options: ClusterOptions) {
    this.#options = options;
  }

  /** Starts the servers. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options);
    for (let index = 0; index < options.count; index++) await cluster.revive(index);
    return cluster;
  }

  /** How many requests were sent. */
  get sent(): number {
    return this.#sent;
  }

  /** How often a server was killed. */
  get kills(): number {
    return this.#kills;
  }

  /** Sends a request to any server that lives. Throws `LostAnswer` where it was killed before it had answered. */
  async send(method: string, path: string, parts: RequestParts = {}): Promise<Answer> {
    const run = await this.#pick();
    this.#sent++;
    try {
      const answer = await run.connection.send(method, path, parts);
      if (answer.status >= 500) {
        const text = new TextDecoder().decode(answer.bytes);
        this.#options.complain(`${method} ${path} was answered with ${answer.status} ${text}`);
      }
      return answer;
    } catch (error) {
      if (error instanceof LostAnswer && !run.isEnding) {
        this.#options.complain(`${method} ${path} was not answered: ${error.cause}`);
      }
      throw error;
    }
  }

  /** Kills a server, where it lives. */
  async kill(index: number): Promise<void> {
    const run = this.#runs[index];
    if (!run) return;
    this.#kills++;
    await this.#end(index, run, () => run.server.kill());
  }

  /** Starts a server, where it does not live. */
  async revive(index: number, config: string = this.#options.config): Promise<void> {
    if (this.#runs[index]) return;
    const server = await startRegistry({ dataDir: this.#options.dataDir, config });
    this.#runs[index] = { server, connection: new Connection(server.url), isEnding: false };
  }

  /** The connections to the servers that live. */
  connections(): Connection[] {
    return this.#runs.filter((run) => run !== undefined).map(({ connection }) => connection);
  }

  /** Ends all servers in good order. */
  async stop(): Promise<void> {
    for (const [index, run] of this.#runs.entries()) {
      if (run) await this.#end(index, run, async () => void await run.server.stop());
    }
  }

  /** What the servers that live have logged. */
  logs(): string {
    return this.#runs.map((run) => run?.server.log() ?? "").join("\n");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #end(index: number, run: Run, act: () => Promise<void>): Promise<void> {
    run.isEnding = true;
    this.#runs[index] = undefined;
    await act();
    await run.server.stop();
    run.connection[Symbol.dispose]();
  }

  async #pick(): Promise<Run> {
    for (;;) {
      const run = this.#options.random.pick(this.#runs.filter((run) => run !== undefined));
      if (run) return run;
      await new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
    }
  }
}
