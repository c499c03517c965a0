import { agrees } from "../consent.ts";
import { changeContexts, type Context, type Contexts, readContexts } from "../contexts.ts";
import { formatFacts, showDone, showTable } from "../format.ts";
import type { DeleteFlags, GlobalFlags } from "../frame.ts";
import { Misuse } from "../misuse.ts";
import { write, writeJson } from "../output.ts";
import { pickContext } from "../target.ts";

/** Lists all contexts. */
export async function listContexts({ json }: GlobalFlags): Promise<number> {
  const { contexts, current } = await readContexts();
  const all = Object.entries(contexts).map(([name, context]) => describe(name, { context, current }));
  return await showTable({ contexts: all }, {
    json,
    headings: ["", "context", "server", "user name"],
    rows: all.map((
      { name, server, username, current },
    ) => [current ? "*" : "", name, server, username ?? "-"]),
    none: "There is no context: sregctl login URL makes one",
  });
}

/** Makes a context the current one. */
export async function useContext(name: string, { json }: GlobalFlags): Promise<number> {
  await changeContexts((contexts) => {
    pickContext(contexts, name);
    return { ...contexts, current: name };
  });
  return showDone({ current: name }, { json, text: `The current context is ${name}` });
}

/** Shows a context, without what is secret in it. */
export async function showContext(
  given: string | undefined,
  { json, context }: GlobalFlags,
): Promise<number> {
  const contexts = await readContexts();
  const name = given ?? context ?? contexts.current;
  const found = pickContext(contexts, name);
  const { server, username, current } = describe(name!, { context: found, current: contexts.current });
  const { ca, certificate, key, insecure_http } = found;
  if (json) {
    writeJson({ name, current, server, username, ca, certificate, key, insecure_http });
    return 0;
  }
  write(formatFacts([
    ["context", `${name}${current ? " (current)" : ""}`],
    ["server", server],
    ["user name", username],
    ["CA", ca],
    ["certificate", certificate],
    ["key", key],
    ["plain HTTP", insecure_http ? "credentials are sent over it" : undefined],
  ]));
  return 0;
}

/** Forgets a context. */
export async function deleteContext(name: string, flags: DeleteFlags): Promise<number> {
  pickContext(await readContexts(), name);
  if (!await agrees(flags, `the context ${name} and its credentials`)) return 0;
  await changeContexts(({ contexts, current }) => {
    const { [name]: _, ...others } = contexts;
    return { contexts: others, ...(current !== name && { current }) };
  });
  return showDone({ deleted: name }, { json: flags.json, text: `The context ${name} is forgotten` });
}

/** Forgets the credentials of a context. */
export async function logout({ context, server, json }: GlobalFlags): Promise<number> {
  if (server !== undefined) throw new Misuse("logout goes by --context, not by --server");
  const name = context ?? (await readContexts()).current;
  await changeContexts((contexts) => withoutCredentials(contexts, name));
  return showDone({ context: name }, { json, text: `The credentials of ${name} are forgotten` });
}

function withoutCredentials(contexts: Contexts, name: string | undefined): Contexts {
  const { username: _, password: __, ...rest } = pickContext(contexts, name);
  return { ...contexts, contexts: { ...contexts.contexts, [name!]: rest as Context } };
}

function describe(
  name: string,
  { context, current }: { readonly context: Context; readonly current: string | undefined },
) {
  const { server, username } = context;
  return { name, server, username, current: name === current };
}
