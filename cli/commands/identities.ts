import { askList, type Client, idPath, openClient } from "../client.ts";
import { agrees } from "../consent.ts";
import { formatTime, showDone, showTable } from "../format.ts";
import type { DeleteFlags, GlobalFlags } from "../frame.ts";
import { Misuse } from "../misuse.ts";
import { count } from "../output.ts";
import { askHidden, canAsk, readSecret } from "../prompts.ts";
import { anything, flag, list, object, optional, text } from "../shape.ts";
import { type Cell } from "../table.ts";

/** The flags of `sregctl identity create`. */
export interface CreateFlags extends GlobalFlags {
  readonly id?: string | undefined;
  readonly group?: readonly string[] | undefined;
  readonly passwordStdin?: true | undefined;
  readonly passwordHash?: string | undefined;
  /** `false`: without one. */
  readonly password?: boolean | undefined;
}

const IDENTITY = object({
  id: text,
  username: optional(text),
  groups: list(text),
  source: text,
  disabled: flag,
  created_at: optional(text),
  password_changed_at: optional(text),
});

const TOKENS = object({ tokens: list(object({ id: text, name: text, owner: optional(text) })) });

/** Lists identities. */
export async function listIdentities(flags: GlobalFlags): Promise<number> {
  using client = await openClient(flags);
  const identities = await askList(client, {
    name: "identities",
    item: IDENTITY,
    path: "/admin/v1/identities",
  });
  return await showTable({ identities }, {
    json: flags.json,
    headings: ["id", "user name", "groups", "from", "state", "made"],
    rows: identities.map(({ id, username, groups, source, disabled, created_at }) => [
      id,
      username ?? "",
      groups,
      source,
      (disabled ? { text: "disabled", tone: "bad" } : "in use") as Cell,
      formatTime(created_at),
    ]),
    none: "There is no identity",
  });
}

/** Makes an identity. */
export async function createIdentity(username: string, flags: CreateFlags): Promise<number> {
  const { id, group: groups, json } = flags;
  const secret = await readNewSecret(flags);
  using client = await openClient(flags);
  const identity = await client.ask({
    method: "POST",
    path: "/admin/v1/identities",
    body: { username, id, groups, ...secret },
    shape: IDENTITY,
  });
  return showDone(identity, { json, text: `Made the identity ${identity.id}` });
}

/** Lets an identity do nothing, or again what it may. */
export async function setDisabled(
  id: string,
  { disabled, ...flags }: GlobalFlags & { readonly disabled: boolean },
): Promise<number> {
  using client = await openClient(flags);
  const identity = await client.ask({
    method: "PATCH",
    path: idPath(id),
    body: { disabled },
    shape: IDENTITY,
  });
  return showDone(identity, {
    json: flags.json,
    text: `The identity ${id} is ${disabled ? "disabled" : "in use"}`,
  });
}

/** Says which groups an identity is in, in place of those before. */
export async function setGroups(id: string, groups: readonly string[], flags: GlobalFlags): Promise<number> {
  using client = await openClient(flags);
  const identity = await client.ask({ method: "PATCH", path: idPath(id), body: { groups }, shape: IDENTITY });
  const text = groups.length > 0 ? `in ${groups.join(", ")}` : "in no group";
  return showDone(identity, { json: flags.json, text: `The identity ${id} is ${text}` });
}

/** Deletes an identity. */
export async function deleteIdentity(id: string, flags: DeleteFlags): Promise<number> {
  using client = await openClient(flags);
  const tokens = flags.yes && !flags.dryRun ? "its tokens" : await describeTokens(client, id);
  if (!await agrees(flags, `the identity ${id} and ${tokens}`)) return 0;
  await client.ask({ method: "DELETE", path: idPath(id) });
  return showDone({ deleted: id }, { json: flags.json, text: `The identity ${id} is deleted` });
}

/** Changes somebody's password, or one's own. */
export async function changePassword(
  id: string | undefined,
  flags: GlobalFlags & { readonly passwordStdin?: true | undefined },
): Promise<number> {
  using client = await openClient(flags);
  if (id === undefined) {
    if (flags.passwordStdin) {
      throw new Misuse("Your own password is asked for at a terminal; name an id otherwise");
    }
    requireTerminal();
    const old_password = await askHidden("Your password until now");
    await client.ask({
      method: "PUT",
      path: "/admin/v1/me/password",
      body: { old_password, new_password: await askTwice() },
    });
  } else {
    const password = await readNewPassword(flags.passwordStdin);
    await client.ask({ method: "PATCH", path: idPath(id), body: { password }, shape: anything });
  }
  return showDone({ changed: id ?? "me" }, {
    json: flags.json,
    text: id === undefined
      ? "Your password is changed; sign in again: sregctl login"
      : `The password of ${id} is changed`,
  });
}

async function readNewSecret({ password, passwordHash, passwordStdin }: CreateFlags) {
  if (password === false) return {};
  if (passwordHash !== undefined) return { password_hash: passwordHash };
  return { password: await readNewPassword(passwordStdin) };
}

async function readNewPassword(fromStdin: true | undefined): Promise<string> {
  if (!fromStdin) requireTerminal();
  const password = fromStdin ? await readSecret() : await askTwice();
  if (password === "") throw new Misuse("A password is not empty");
  return password;
}

async function askTwice(): Promise<string> {
  const password = await askHidden("New password");
  if (password !== await askHidden("The same again")) throw new Misuse("The two passwords are not the same");
  return password;
}

function requireTerminal(): void {
  if (!canAsk()) throw new Misuse("Cannot ask for the password: there is no terminal; use --password-stdin");
}

/** Whoever may delete identities need not be let to see tokens. */
async function describeTokens(client: Client, id: string): Promise<string> {
  try {
    const { tokens } = await client.ask({ path: "/admin/v1/tokens", shape: TOKENS });
    return count(tokens.filter(({ owner }) => owner === id).length, "token") + " of it";
  } catch {
    return "its tokens";
  }
}
