import { type Client, openClient, pathOf } from "../client.ts";
import { agrees } from "../consent.ts";
import { formatFacts, formatTime, showDone, showTable } from "../format.ts";
import type { DeleteFlags, GlobalFlags } from "../frame.ts";
import { Misuse } from "../misuse.ts";
import { harmless, write, writeJson } from "../output.ts";
import { list, object, optional, text } from "../shape.ts";

/** Whose tokens are meant. */
interface MineFlags {
  readonly mine?: true | undefined;
}

/** The flags of `sregctl identity token create`. */
export interface TokenFlags extends GlobalFlags, MineFlags {
  readonly owner?: string | undefined;
  readonly group?: readonly string[] | undefined;
  readonly expires?: string | undefined;
  readonly scope?: readonly string[] | undefined;
}

const FIELDS = {
  id: text,
  name: text,
  kind: text,
  owner: optional(text),
  groups: optional(list(text)),
  scopes: optional(list(object({ repositories: text, actions: list(text) }))),
  created_at: text,
  expires_at: optional(text),
};
const TOKENS = object({ tokens: list(object({ ...FIELDS, last_used_at: optional(text) })) });
const ISSUED = object({ ...FIELDS, token: text });

/** Makes a token, and shows its text. */
export async function createToken(name: string, flags: TokenFlags): Promise<number> {
  const { mine, owner, group: groups, expires, scope = [] } = flags;
  if (mine && (owner !== undefined || groups)) throw new Misuse("--mine goes without --owner and --group");
  if (owner !== undefined && groups) throw new Misuse("--group: only a robot has groups of its own");
  const scopes = scope.length > 0 ? scope.map(parseScope) : undefined;
  const expires_at = expires === undefined ? undefined : parseExpiry(expires);
  using client = await openClient(flags);
  return await issue(client, {
    path: tokensPath(flags),
    body: { name, expires_at, scopes, ...(!mine && { owner, groups }) },
    json: flags.json,
  });
}

/** Lists tokens. */
export async function listTokens(flags: GlobalFlags & MineFlags): Promise<number> {
  using client = await openClient(flags);
  const answer = await client.ask({ path: tokensPath(flags), shape: TOKENS });
  return await showTable(answer, {
    json: flags.json,
    headings: ["id", "name", "of", "may", "ends", "last used"],
    rows: answer.tokens.map(({ id, name, owner, groups, scopes, expires_at, last_used_at }) => [
      id,
      name,
      owner ?? ["(robot)", ...groups ?? []],
      scopes?.map(({ repositories, actions }) => `${repositories}:${actions.join(",")}`) ?? "all",
      formatTime(expires_at) || "never",
      formatTime(last_used_at) || "never",
    ]),
    none: "There is no token",
  });
}

/** Gives a token another text, and shows it. */
export async function rotateToken(id: string, flags: GlobalFlags & MineFlags): Promise<number> {
  using client = await openClient(flags);
  return await issue(client, { path: tokensPath(flags) + pathOf`/${checkId(id)}/rotate`, json: flags.json });
}

/** Takes a token back. */
export async function revokeToken(id: string, flags: DeleteFlags & MineFlags): Promise<number> {
  checkId(id);
  if (!await agrees(flags, `the token ${id}`)) return 0;
  using client = await openClient(flags);
  await client.ask({ method: "DELETE", path: tokensPath(flags) + pathOf`/${id}` });
  return showDone({ revoked: id }, { json: flags.json, text: `The token ${id} is revoked` });
}

async function issue(
  client: Client,
  { path, body, json }: { readonly path: string; readonly body?: unknown; readonly json: true | undefined },
): Promise<number> {
  const issued = await client.ask({ method: "POST", path, body, shape: ISSUED });
  if (json) {
    writeJson(issued);
    return 0;
  }
  write(formatFacts([
    ["id", issued.id],
    ["name", issued.name],
    ["of", issued.owner ?? "(robot)"],
    ["ends", formatTime(issued.expires_at) || "never"],
  ]));
  // In one line, however long: it is there to be copied.
  write(`\nThe token, shown this once:\n${harmless(issued.token)}\n`);
  return 0;
}

/** Whoever gives a token's name, or its text, is told so. */
function checkId(id: string): string {
  if (/^[0-9a-f]+$/.test(id)) return id;
  throw new Misuse("Cannot find the token: expected its id, see: sregctl identity token list");
}

function tokensPath({ mine }: MineFlags): string {
  return mine ? "/admin/v1/me/tokens" : "/admin/v1/tokens";
}

const DURATION_MS: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000, w: 604_800_000 };

function parseExpiry(text: string): string {
  const [, amount, unit] = /^(\d{1,6})([hdw])$/.exec(text) ?? [];
  const ms = amount === undefined ? Date.parse(text) : Date.now() + Number(amount) * DURATION_MS[unit!]!;
  if (Number.isNaN(ms)) {
    throw new Misuse("--expires: expected 12h, 30d, 8w or a time such as 2030-01-01T00:00:00Z");
  }
  return new Date(ms).toISOString();
}

function parseScope(text: string): { repositories: string; actions: string[] } {
  const [, repositories, actions] = /^(.+):([a-z,]+)$/.exec(text) ?? [];
  if (repositories === undefined) {
    throw new Misuse("--scope: expected repositories and actions: team/**:pull,push");
  }
  return { repositories, actions: actions!.split(",") };
}
