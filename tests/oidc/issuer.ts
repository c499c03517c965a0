/** An issuer of tokens whose every answer a test decides, and tokens that no library would sign. */

import { Buffer } from "node:buffer";
import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

/** A pair of keys with its name. */
export interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** What a token says. */
export type Claims = Readonly<Record<string, unknown>>;

/** How a token is made. */
export interface TokenOptions {
  /** Besides `alg` and `kid`, or instead of them; `undefined` takes one away. */
  readonly header?: Readonly<Record<string, unknown>>;
  /** Signs; default: the issuer's newest key. */
  readonly key?: SigningKey;
  /** The signature itself, over the bytes that are signed. */
  readonly signature?: (input: string) => Buffer;
}

/** A new pair of keys for ES256. */
export function makeKey(kid: string): SigningKey {
  return { kid, ...generateKeyPairSync("ec", { namedCurve: "P-256" }) };
}

/** The signature of HS256 with this secret. */
export function hmacSignature(secret: string): (input: string) => Buffer {
  return (input) => createHmac("sha256", secret).update(input).digest();
}

/** Now, in the seconds that tokens count. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1_000);
}

/** A server on loopback with a discovery document and a set of keys. */
export class TestIssuer implements AsyncDisposable {
  /** Answers in the place of a path, instead of the usual. */
  readonly answers = new Map<string, () => Response | Promise<Response>>();
  /** The paths that were asked for, in order. */
  readonly asked: string[] = [];
  readonly url: string;
  readonly host: string;
  #keys: SigningKey[] = [makeKey("first")];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #end = new AbortController();

  constructor() {
    const { signal } = this.#end;
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, signal, onListen: () => {} }, (request) => {
      const { pathname } = new URL(request.url);
      this.asked.push(pathname);
      return this.answers.get(pathname)?.() ?? this.#answer(pathname);
    });
    this.host = `127.0.0.1:${this.#server.addr.port}`;
    this.url = `http://${this.host}`;
  }

  /** The newest key. */
  get key(): SigningKey {
    return this.#keys.at(-1)!;
  }

  /** Publishes these keys alone. */
  publish(...keys: SigningKey[]): void {
    this.#keys = keys;
  }

  /** How often the keys were asked for. */
  get fetches(): number {
    return this.asked.filter((path) => path === "/keys").length;
  }

  /** A good token, but for what is changed; a claim that is `undefined` is left out. */
  token(claims: Claims = {}, { header = {}, key = this.key, signature }: TokenOptions = {}): string {
    const now = nowSeconds();
    const whole = { iss: this.url, aud: "registry", sub: "alice", iat: now, exp: now + 300, ...claims };
    const input = [{ alg: "ES256", kid: key.kid, ...header }, whole].map(encode).join(".");
    const signed = signature?.(input) ??
      sign("sha256", Buffer.from(input), { key: key.privateKey, dsaEncoding: "ieee-p1363" });
    return `${input}.${signed.toString("base64url")}`;
  }

  /** Stops the server; what is under way is cut off. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#server.finished;
  }

  #answer(pathname: string): Response {
    if (pathname === "/.well-known/openid-configuration") {
      return Response.json({ issuer: this.url, jwks_uri: `${this.url}/keys` });
    }
    if (pathname !== "/keys") return new Response(null, { status: 404 });
    const keys = this.#keys.map(({ kid, publicKey }) => ({ ...publicKey.export({ format: "jwk" }), kid }));
    return Response.json({ keys });
  }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
