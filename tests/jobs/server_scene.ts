/** Servers with a slow kind of jobs, each a process of its own, over one folder. */

import { fromFileUrl } from "../support/paths.ts";
import { until } from "./scene.ts";

/** A job as the administration API shows it. */
export interface ShownJob {
  readonly id: string;
  readonly state: string;
  readonly replica: string;
  readonly progress?: { readonly done: number };
  readonly lines: number;
  readonly report?: unknown;
  readonly error?: string;
}

/** A line of a job. */
export interface ShownLine {
  readonly step: number;
  readonly pid: number;
}

/** An answer that refuses. */
export interface ShownErrors {
  readonly errors: readonly { readonly code: string; readonly message: string; readonly detail: unknown }[];
}

/** A process that serves. */
export interface SlowServer {
  readonly pid: number;
  /** Sends a request of the administration API; answers the status and the JSON. */
  send<Body = { readonly job: string }>(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly body: Body }>;
  /** The job, once it is as it should be. */
  untilJob(id: string, isGood: (job: ShownJob) => boolean): Promise<ShownJob>;
  /** SIGTERM, or SIGKILL, and its exit code. */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<number>;
}

/** A folder for the data, and servers over it, which end with the scene. */
export class SlowServers implements AsyncDisposable {
  readonly #folder: string;
  readonly #servers: SlowServer[] = [];

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async create(): Promise<SlowServers> {
    const folder = await Deno.makeTempDir({ prefix: "sreg-test-" });
    const text = `[storage.fs]\nroot_dir = "./data"\n[jobs]\nlease_lifetime = "6s"\n[schedule]\ngc = "off"\n`;
    await Deno.writeTextFile(`${folder}/sreg.toml`, text);
    return new SlowServers(folder);
  }

  async start(): Promise<SlowServer> {
    const program = fromFileUrl(new URL("slow_job_server.ts", import.meta.url));
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--allow-all", program, `${this.#folder}/sreg.toml`],
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value = "" } = await lines.read();
    await lines.cancel();
    const server = serverOf(child, value.trim());
    this.#servers.push(server);
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.end("SIGKILL")));
    await Deno.remove(this.#folder, { recursive: true });
  }
}

function serverOf(child: Deno.ChildProcess, url: string): SlowServer {
  const send = async <Body>(method: string, path: string, body?: unknown) => {
    const answer = await fetch(`${url}/admin/v1${path}`, {
      method,
      ...(body !== undefined &&
        { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
    });
    return { status: answer.status, body: await answer.json() as Body };
  };
  return {
    pid: child.pid,
    send,
    untilJob: (id, isGood) => until(async () => (await send<ShownJob>("GET", `/jobs/${id}`)).body, isGood),
    async end(signal) {
      try {
        child.kill(signal);
      } catch {
        // It has ended already.
      }
      return (await child.status).code;
    },
  };
}
