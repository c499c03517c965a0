import { type Client, openClient, pageFollower } from "../client.ts";
import { formatTime, showTable } from "../format.ts";
import type { GlobalFlags } from "../frame.ts";
import { Misuse } from "../misuse.ts";
import { harmless, outputColumns, paint, write, writeJsonLine } from "../output.ts";
import { anything, flag, list, object, optional, type Shape, type Shaped, text } from "../shape.ts";
import { type Cell, widthOf, wrap } from "../table.ts";

/** The flags of `sregctl audit tail`. */
export interface TailFlags extends GlobalFlags {
  readonly follow?: true | undefined;
  readonly lines?: string | undefined;
}

/** The flags of `sregctl audit search`. */
export interface SearchFlags extends GlobalFlags {
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly target?: string | undefined;
  readonly outcome?: string | undefined;
  readonly lines?: string | undefined;
}

const EVENT = object({
  id: text,
  at: text,
  actor: object({ id: optional(text), username: optional(text), address: optional(text) }),
  action: text,
  target: optional(text),
  outcome: text,
  detail: anything,
});

const EVENTS = object({ events: list(EVENT), next: optional(text) });

type Event = Shaped<typeof EVENT>;
type Query = Readonly<Record<string, string | undefined>>;

const TAIL_LINES = 20;
const SEARCH_LINES = 100;
const LINES_MAX = 100_000;
const PAGE_MAX = 1_000;
const FOLLOW_INTERVAL_MS = 1_000;
const INDENT = "  ";

/** Shows the last events, oldest first; with `follow` those to come too, until it is ended. */
export async function tailAudit(flags: TailFlags): Promise<number> {
  using client = await openClient(flags);
  const events = (await askEvents(client, {}, readLines(flags.lines, TAIL_LINES))).toReversed();
  for (const event of events) show(event, flags);
  if (!flags.follow) {
    if (events.length === 0 && !flags.json) write("There is no event\n");
    return 0;
  }
  return await followAudit(client, { after: events.at(-1)?.id, flags });
}

/** Shows what happens, until the program is ended. */
async function followAudit(
  client: Client,
  { after, flags }: { readonly after: string | undefined; readonly flags: GlobalFlags },
): Promise<never> {
  for (let last = after;;) {
    const { events, next } = await askNews(client, last);
    for (const event of events) show(event, flags);
    const reached = next ?? events.at(-1)?.id ?? last;
    if (!next || reached === last) await new Promise((resolve) => setTimeout(resolve, FOLLOW_INTERVAL_MS));
    last = reached;
  }
}

/** What came after an event, oldest first. Before the first event whatever there is, is new. */
async function askNews(client: Client, after: string | undefined): Promise<Shaped<typeof EVENTS>> {
  if (after === undefined) {
    return { events: (await askEvents(client, {}, PAGE_MAX)).toReversed(), next: undefined };
  }
  const query = { after, n: String(PAGE_MAX) };
  return await client.ask({ path: "/admin/v1/audit", query, shape: EVENTS });
}

/** Shows the events that fit. */
export async function searchAudit(flags: SearchFlags): Promise<number> {
  const { actor, action, target, outcome, lines } = flags;
  const query = {
    actor,
    action,
    target,
    outcome,
    since: readWhen("--since", flags.since),
    until: readWhen("--until", flags.until),
  };
  using client = await openClient(flags);
  const events = await askEvents(client, query, readLines(lines, SEARCH_LINES));
  return await showTable({ events }, {
    json: flags.json,
    headings: ["at", "who", "action", "target", "outcome"],
    rows: events.map((event) => [
      formatTime(event.at),
      nameOf(event),
      event.action,
      [event.target ?? "", noteOf(event)].filter((line) => line !== ""),
      outcomeCell(event.outcome),
    ]),
    none: "There is no such event",
  });
}

/** The newest events that fit, so many at most. */
async function askEvents(client: Client, query: Query, limit: number): Promise<readonly Event[]> {
  const events: Event[] = [];
  const follow = pageFollower(client);
  let last: string | undefined;
  do {
    const n = String(Math.min(PAGE_MAX, limit - events.length));
    const page = await client.ask({ path: "/admin/v1/audit", query: { ...query, n, last }, shape: EVENTS });
    last = follow(page.next, page.events.length);
    for (const event of page.events) events.push(event);
  } while (last !== undefined && events.length < limit);
  return events.slice(0, limit);
}

function show(event: Event, { json }: GlobalFlags): void {
  if (json) return writeJsonLine(event);
  const { at, action, outcome } = event;
  const columns = outputColumns();
  const head = harmless(`${formatTime(at)}  ${outcome}  ${nameOf(event)}  ${action}`);
  const target = harmless(`${event.target ?? ""} ${noteOf(event)}`.trimEnd());
  const line = `${head}  ${target}`.trimEnd();
  const lines = widthOf(line) <= columns
    ? [line]
    : [...wrap(head, columns), ...wrap(target, columns - INDENT.length).map((part) => INDENT + part)];
  write(lines.map((part) => `${paint(part, toneOf(outcome))}\n`).join(""));
}

const ASKED = object({ query: object({ dry_run: text }) });
const ORDERED = object({
  request: object({ kind: text, options: optional(object({ dry_run: optional(flag) })) }),
});

/** What is to be known of an event beside its target: which kind of job it began, and that it was a dry run. */
function noteOf({ action, detail }: Event): string {
  if (fits(detail, ASKED)) return detail.query.dry_run === "true" ? "(dry run)" : "";
  if (action !== "admin.start-job" || !fits(detail, ORDERED)) return "";
  const { kind, options } = detail.request;
  return `(${kind}${options?.dry_run ? ", dry run" : ""})`;
}

function fits<T>(value: unknown, shape: Shape<T>): value is T {
  return shape.problem(value, "") === undefined;
}

function nameOf({ actor: { username, id } }: Event): string {
  return username ?? id ?? "anonymous";
}

function toneOf(outcome: string): "bad" | undefined {
  return outcome === "done" ? undefined : "bad";
}

function outcomeCell(outcome: string): Cell {
  const tone = toneOf(outcome);
  return tone ? { text: outcome, tone } : outcome;
}

function readLines(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (/^[1-9]\d{0,5}$/.test(text) && Number(text) <= LINES_MAX) return Number(text);
  throw new Misuse(`--lines: expected a number, at most ${LINES_MAX}`);
}

const DURATION_MS: Readonly<Record<string, number>> = {
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

function readWhen(flag: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const [, amount, unit] = /^(\d{1,6})(min|h|d|w)$/.exec(text) ?? [];
  const ms = amount === undefined ? Date.parse(text) : Date.now() - Number(amount) * DURATION_MS[unit!]!;
  if (!Number.isNaN(ms)) return new Date(ms).toISOString();
  throw new Misuse(`${flag}: expected a time such as 2025-03-31T22:00:00Z, or how long ago: 30min, 12h, 7d`);
}
