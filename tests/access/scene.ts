/** A registry with people of different rights, what they show, and what its store holds. */

import { decodeJwt, type JWK } from "jose";
import { hashArgon2id } from "../password/hashes.ts";
import { type Answer, digestOf, RegistryClient, type Sent } from "../support/client.ts";
import { type RunningRegistry, startRegistry } from "../support/registry.ts";

/** Who there is. */
export const USERS = ["reader", "writer", "admin"] as const;

/** Everybody reads what is public, readers and writers what is the team's; the admin may do everything everywhere. */
export const ROLES = `
[role.read]
verbs = ["pull"]
repositories = ["team"]
[role.write]
verbs = ["pull", "push"]
repositories = ["team"]
[role.browse]
verbs = ["get-blob", "get-manifest", "get-referrers", "list-tags", "list-catalog"]
repositories = ["public"]
[[binding]]
role = "read"
users = ["reader"]
[[binding]]
role = "write"
users = ["writer"]
[[binding]]
role = "admin"
users = ["admin"]
[[binding]]
role = "browse"
users = ["*"]
`;

/** Lets a test say from which address each request comes. */
export const PROXIED = `[server]\ntrusted_proxies = ["127.0.0.1", "::1"]\n`;

/** Clients of one registry. */
export interface Clients {
  /** A client that shows nothing. */
  readonly nobody: RegistryClient;
  /** A client that sends headers with every request. */
  showing(headers: Readonly<Record<string, string>>): RegistryClient;
  /** A client that shows a user name and `<name>-password`, or another password. */
  as(username: string, password?: string): RegistryClient;
  /** A client that shows a token. */
  bearing(token: string): RegistryClient;
  /** A token of the token service for a user. */
  tokenOf(username: string, ...scopes: readonly string[]): Promise<string>;
}

/** A registry that runs, and clients of it. */
export interface Scene extends Clients, AsyncDisposable {
  readonly registry: RunningRegistry;
}

/** What to start. */
export interface SceneOptions {
  /** Text of the configuration before the tables of identities and roles. */
  readonly config?: string;
  /** Further arguments of `sreg serve`. */
  readonly args?: readonly string[];
}

/** Starts a registry in which `USERS` have `ROLES`. */
export async function startScene({ config = "", args = [] }: SceneOptions = {}): Promise<Scene> {
  const passwords = Object.fromEntries(USERS.map((username) => [username, `${username}-password`]));
  const text = `${PROXIED}${config}\n${await identitiesOf(passwords)}${ROLES}`;
  return sceneOf(await startRegistry({ config: text, args }));
}

/** The tables of identities with these passwords, by user name. */
export async function identitiesOf(passwords: Readonly<Record<string, string>>): Promise<string> {
  const tables = await Promise.all(
    Object.entries(passwords).map(async ([username, password]) =>
      `[identity.${username}]\nusername = "${username}"\npassword = "${await hashArgon2id(password)}"\n`
    ),
  );
  return tables.join("");
}

/** A registry that runs already, which ends with the scene. */
export function sceneOf(registry: RunningRegistry): Scene {
  const end = async () => void await registry.stop();
  return { registry, ...clientsOf(registry.url), [Symbol.asyncDispose]: end };
}

/** Clients of the registry at a URL. */
export function clientsOf(url: string): Clients {
  const showing = (headers: Readonly<Record<string, string>>) => new ShowingClient(url, headers);
  const as = (username: string, password?: string) => showing({ Authorization: basic(username, password) });
  return {
    nobody: new RegistryClient(url),
    showing,
    as,
    bearing: (token) => showing({ Authorization: `Bearer ${token}` }),
    async tokenOf(username, ...scopes) {
      const query = new URLSearchParams(scopes.map((scope) => ["scope", scope]));
      return (await as(username).get(`/token?${query}`)).json().token;
    },
  };
}

/** `Authorization` for a user name, and `<name>-password` or another password. */
export function basic(username: string, password = `${username}-password`): string {
  return `Basic ${new TextEncoder().encode(`${username}:${password}`).toBase64()}`;
}

/** Sends the same headers with every request, unless it has others under their names. */
class ShowingClient extends RegistryClient {
  readonly #headers: Readonly<Record<string, string>>;

  constructor(url: string, headers: Readonly<Record<string, string>>) {
    super(url);
    this.#headers = headers;
  }

  override send(method: string, path: string, sent: Sent = {}): Promise<Answer> {
    return super.send(method, path, { ...sent, headers: { ...this.#headers, ...sent.headers } });
  }
}

/** Every object of a registry's store, without the audit log, which grows: its path, and the digest of its bytes. */
export async function storeOf(folder: string): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    // What is being written has another name for a moment.
    if (name === "audit" || name === "%temp") continue;
    const path = `${folder}/${name}`;
    if (!isDirectory) found[name] = digestOf(await Deno.readFile(path));
    else {for (const [below, digest] of Object.entries(await storeOf(path))) {
        found[`${name}/${below}`] = digest;
      }}
  }
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => a < b ? -1 : 1));
}

/** The key that the registry itself signs tokens with. */
export interface Forge {
  readonly keyId: string;
  readonly publicJwk: JWK;
  /** A token like `token`, with another payload or header. */
  resign(token: string, payload?: object, header?: object): Promise<string>;
}

/** Opens the registry's store and takes the key out of it. */
export async function openForge({ dataDir }: RunningRegistry): Promise<Forge> {
  const folder = `${dataDir}/access/signing`;
  const [{ name }] = Deno.readDirSync(folder).toArray() as [Deno.DirEntry];
  const { keyId, privateJwk, publicJwk } = JSON.parse(await Deno.readTextFile(`${folder}/${name}`));
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("jwk", privateJwk, algorithm, false, ["sign"]);
  return {
    keyId,
    publicJwk,
    async resign(token, payload = {}, header = {}) {
      const head = { alg: "ES256", typ: "JWT", kid: keyId, ...header };
      const text = `${formatPart(head)}.${formatPart({ ...decodeJwt(token), ...payload })}`;
      const signature = await crypto.subtle.sign(algorithm, key, new TextEncoder().encode(text));
      return `${text}.${new Uint8Array(signature).toBase64(BASE64URL)}`;
    },
  };
}

const BASE64URL = { alphabet: "base64url", omitPadding: true } as const;

/** A part of a token: JSON in base64url. */
export function formatPart(value: object): string {
  return new TextEncoder().encode(JSON.stringify(value)).toBase64(BASE64URL);
}

/** Sends the bytes of a request, and reads all that comes until the server closes. */
export async function exchange(host: string, request: string): Promise<string> {
  const { hostname, port } = new URL(`http://${host}`);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  let answer = "";
  const reading = (async () => {
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(65_536);
    for (let count = await connection.read(buffer); count !== null; count = await connection.read(buffer)) {
      answer += decoder.decode(buffer.subarray(0, count), { stream: true });
    }
  })();
  try {
    for (let rest = new TextEncoder().encode(request); rest.length > 0;) {
      rest = rest.subarray(await connection.write(rest));
    }
    await reading;
  } catch {
    // The server may close before it has read everything.
    await reading.catch(() => {});
  }
  return answer;
}
