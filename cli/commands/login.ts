import { resolve } from "node:path";
import { type Client, createClient, openClient, Refusal } from "../client.ts";
import { changeContexts, contextsPath } from "../contexts.ts";
import { formatFacts, showDone } from "../format.ts";
import type { GlobalFlags } from "../frame.ts";
import { Misuse } from "../misuse.ts";
import { write, writeJson } from "../output.ts";
import { askHidden, askText, canAsk, readSecret } from "../prompts.ts";
import { flag, list, object, optional, type Shaped, text } from "../shape.ts";
import { parseServer, requireSafe, type Target } from "../target.ts";

/** The flags of `sregctl login`. */
export interface LoginFlags extends GlobalFlags {
  readonly username?: string | undefined;
  readonly passwordStdin?: true | undefined;
  readonly name?: string | undefined;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly insecureHttp?: true | undefined;
}

const ME = object({
  id: optional(text),
  username: optional(text),
  groups: list(text),
  by: optional(text),
  anonymous: flag,
});

/** Asks for credentials, tries them, and keeps them. */
export async function login(url: string, flags: LoginFlags): Promise<number> {
  const target = await targetOf(url, flags);
  using client = createClient(target, flags);
  const me = await tryCredentials(client);
  if (me?.anonymous) {
    throw new Refusal(`Cannot sign in to ${client.origin}: it takes you for anonymous`, 200, me);
  }
  const name = flags.name ?? target.server.host;
  const { ca, certificate, key, insecureHttp } = target;
  const context = {
    server: target.server.href.replace(/\/+$/, ""),
    ...target.credentials,
    ca,
    certificate,
    key,
    ...(insecureHttp && { insecure_http: true }),
  };
  await changeContexts(({ contexts }) => ({ current: name, contexts: { ...contexts, [name]: context } }));
  return showDone({ context: name, server: context.server, file: contextsPath(), identity: me }, {
    json: flags.json,
    text: `Signed in to ${context.server} as ${
      me?.username ?? me?.id ?? flags.username ?? "somebody"
    }; this is the context ${name}`,
  });
}

/** Whom the server takes one for. One who may not ask is known all the same: others are answered 401. */
async function tryCredentials(client: Client): Promise<Shaped<typeof ME> | undefined> {
  try {
    return await client.ask({ path: "/admin/v1/me", shape: ME });
  } catch (error) {
    if (error instanceof Refusal && error.status === 403) return undefined;
    throw error;
  }
}

/** Shows whom the server takes the caller for. */
export async function whoami(flags: GlobalFlags): Promise<number> {
  using client = await openClient(flags);
  const me = await client.ask({ path: "/admin/v1/me", shape: ME });
  if (flags.json) {
    writeJson(me);
    return 0;
  }
  write(formatFacts([
    ["server", client.origin],
    ["user name", me.anonymous ? "anonymous" : me.username],
    ["id", me.id],
    ["groups", me.groups.join(", ")],
    ["known by", me.anonymous ? undefined : me.by],
  ]));
  return 0;
}

async function targetOf(url: string, flags: LoginFlags): Promise<Target> {
  const server = parseServer(url);
  const absolute = (path: string | undefined) => path === undefined ? undefined : resolve(path);
  const target = {
    server,
    ca: absolute(flags.ca),
    certificate: absolute(flags.cert),
    key: absolute(flags.key),
    insecureHttp: flags.insecureHttp === true,
  };
  // A certificate says who one is; a name besides is asked for only where it is given.
  if (target.certificate !== undefined && flags.username === undefined) return target;
  // Before anybody types a password that would not be sent.
  requireSafe({ ...target, credentials: { username: "", password: "" } });
  return { ...target, credentials: await readCredentials(flags) };
}

async function readCredentials({ username, passwordStdin }: LoginFlags) {
  if (!passwordStdin && !canAsk()) {
    throw new Misuse("Cannot ask for the password: there is no terminal; use --password-stdin");
  }
  if (passwordStdin && username === undefined) throw new Misuse("--password-stdin needs --username");
  const name = username ?? await askText("User name");
  if (name === "" || name.includes(":")) throw new Misuse("A user name is not empty, and has no colon");
  const password = passwordStdin ? await readSecret() : await askHidden("Password");
  return { username: name, password };
}
