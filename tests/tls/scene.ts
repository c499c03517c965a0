/** A TLS listener with certificates of its own, and clients for it. */

import { type Handler, type ListenOptions, type TlsOptions } from "../../server/http/listen.ts";
import { TlsFront } from "../../server/http/tls_front.ts";
import { type Certificate, type ClientCertificateFiles, makeCertificate } from "../support/certificate.ts";
import { hasProgram } from "../support/programs.ts";

/** What a test of TLS has. */
export interface Scene {
  readonly folder: string;
  readonly files: Certificate;
  /** What the listener began with. */
  readonly tls: TlsOptions;
  readonly front: TlsFront;
  readonly port: number;
  /** A connection that is through its handshake. */
  connect(client?: ClientCertificateFiles): Promise<Deno.TlsConn>;
  /** Sends one request on a connection of its own, and answers its status and body. Fails where there is no answer. */
  get(path: string, client?: ClientCertificateFiles): Promise<{ status: number; body: string }>;
}

/** How to begin. */
export interface SceneOptions extends Partial<Omit<ListenOptions, "tls">> {
  /** "none": no CA for clients is named. */
  readonly clients?: "none" | "optional" | "required";
  readonly handler?: Handler;
}

/** Registers a test that needs openssl. */
export function tlsTest(name: string, options: SceneOptions, test: (scene: Scene) => Promise<void>): void {
  const fn = () => withScene(options, test);
  Deno.test({ name: `${name} (needs openssl)`, ignore: !hasProgram("openssl"), fn });
}

/** What is sent as a certificate: the texts of its files. */
export function readClient(files: ClientCertificateFiles): { cert: string; key: string } {
  return { cert: Deno.readTextFileSync(files.certificate), key: Deno.readTextFileSync(files.key) };
}

/** Waits until `isSo`, and fails if that takes too long. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  const end = Date.now() + 10_000;
  while (!isSo()) {
    if (Date.now() > end) throw new Error(`It did not come about that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Says who came, as JSON. */
export const whoami: Handler = (_request, connection) => Promise.resolve(Response.json(connection));

/** Reads `connection` to its end, however that comes. */
export async function readToEnd(connection: Deno.Conn): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65536);
  for (;;) {
    const count = await connection.read(buffer).catch(() => null);
    if (count === null) return text;
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
}

/** Writes text. */
export async function send(connection: Deno.Conn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let offset = 0; offset < bytes.length;) offset += await connection.write(bytes.subarray(offset));
}

async function withScene(options: SceneOptions, test: (scene: Scene) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-tls-test-" });
  const files = await makeCertificate(folder);
  const tls = readTls(files, options.clients ?? "none");
  const front = new TlsFront({ hostname: "127.0.0.1", port: 0, ...options, tls }, options.handler ?? whoami);
  try {
    await test({ folder, files, tls, front, ...clients(Number(new URL(front.url).port), files) });
  } finally {
    await front.close(0);
    await Deno.remove(folder, { recursive: true });
  }
}

function readTls(files: Certificate, clientCertificate: "none" | "optional" | "required"): TlsOptions {
  const server = {
    certificate: Deno.readTextFileSync(files.certificate),
    privateKey: Deno.readTextFileSync(files.key),
  };
  if (clientCertificate === "none") return server;
  return { ...server, clientCa: Deno.readTextFileSync(files.authority), clientCertificate };
}

function clients(port: number, files: Certificate): Pick<Scene, "port" | "connect" | "get"> {
  const caCerts = [Deno.readTextFileSync(files.authority)];
  const connect = async (client?: ClientCertificateFiles) => {
    const identity = client === undefined ? {} : readClient(client);
    const connection = await Deno.connectTls({ hostname: "127.0.0.1", port, caCerts, ...identity });
    try {
      await connection.handshake();
    } catch (error) {
      connection.close();
      throw error;
    }
    return connection;
  };
  const get = async (path: string, client?: ClientCertificateFiles) => {
    const connection = await connect(client);
    try {
      await send(connection, `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`);
      const answer = await readToEnd(connection);
      if (answer === "") throw new Error("the connection was closed without an answer");
      const [head = "", body = ""] = answer.split("\r\n\r\n");
      return { status: Number(head.split(" ")[1]), body };
    } finally {
      connection.close();
    }
  };
  return { port, connect, get };
}
