/** An outside service that says, and does, what a test wants. */

import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";

/** A question as it arrived. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  // deno-lint-ignore no-explicit-any -- tests look into questions whose shape they are about to check
  readonly json: any;
}

/** What the service does with a question. */
export type Deed = (response: ServerResponse, question: Received) => unknown;

/** A service that runs. */
export interface OutsideService extends AsyncDisposable {
  /** Where it is asked. */
  readonly url: string;
  /** What it was asked. */
  readonly questions: readonly Received[];
  /** What it does from now on. */
  does(deed: Deed): void;
  /** Waits until it was asked so often. */
  asked(count: number): Promise<void>;
  /** Stops listening, and ends all connections. */
  stop(): Promise<void>;
}

/** Answers JSON with status 200. */
export function says(content: unknown): Deed {
  return (response) => {
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(content));
  };
}

/** Answers a status and nothing else. */
export function answers(status: number): Deed {
  return (response) => response.writeHead(status, { "Content-Length": "0" }).end();
}

/** Writes bytes as they are, and ends the connection. */
export function writes(...lines: readonly string[]): Deed {
  return (response) => response.socket!.end(lines.join("\r\n"));
}

/** Starts a service on a free port of this machine; with `tls` it speaks HTTPS. */
export async function startOutside(deed: Deed, tls?: ServerOptions): Promise<OutsideService> {
  const questions: Received[] = [];
  let current = deed;
  let wake = Promise.withResolvers<void>();
  const listener = async (request: IncomingMessage, response: ServerResponse) => {
    const question = await receive(request);
    questions.push(question);
    wake.resolve();
    wake = Promise.withResolvers();
    response.on("error", () => {});
    await current(response, question);
  };
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return {
    url: `${tls ? "https" : "http"}://127.0.0.1:${port}/decide`,
    questions,
    does: (deed) => void (current = deed),
    asked: async (count) => {
      while (questions.length < count) await wake.promise;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function receive(request: IncomingMessage): Promise<Received> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  const { method = "", url: path = "", headers } = request;
  return { method, path, headers: headers as Record<string, string>, body, json: JSON.parse(body) };
}
