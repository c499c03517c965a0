import { PluginError } from "../../plugins/contract/error.ts";
import type { Bytes, ByteSpan, LocatedUrl, OpenedObject } from "../../plugins/contract/storage.ts";
import type { LocatedOptions } from "./located_file.ts";

/** Until the head of an answer is there, in milliseconds: who asks by itself after that waits longer. */
const HEAD_MS = 10_000;
const IDLE_SOCKETS_MAX = 64;

/** Over one connection of HTTP/2 each would wait for the slowest of its readers. */
const client = Deno.createHttpClient({ http2: false, poolMaxIdlePerHost: IDLE_SOCKETS_MAX });

/**
 * Reads what a plugin points to, if that is at a host that the plugin was itself granted; anything else is a breach, of which the options
 * are told. `undefined`: it cannot be had there now, for whatever reason, and the plugin is to be asked for it.
 */
export async function openUrl(
  { url, unless }: LocatedUrl,
  span: ByteSpan | undefined,
  options: LocatedOptions,
): Promise<OpenedObject | undefined> {
  requireGranted(url, options);
  // No range is empty.
  if (span?.length === 0) return undefined;
  const answer = await ask(url, span);
  if (!answer) return undefined;
  const { body, headers } = answer;
  const facts = factsOf(answer, span);
  // Handed on as it is, it costs half of what it costs to see each piece of it; how long it may take is the reader's affair.
  if (facts && body && !headers.has(unless)) return { ...facts, body: body as Bytes };
  await body?.cancel();
  return undefined;
}

function requireGranted(url: string, { permissions, onBreach }: LocatedOptions): void {
  const { protocol, host, port } = URL.parse(url) ?? {};
  const net = permissions.net ?? [];
  const withPort = port === "" ? `${host}:${protocol === "https:" ? 443 : 80}` : host;
  const isHttp = protocol === "https:" || protocol === "http:";
  if (isHttp && (net.includes(host!) || net.includes(withPort!))) return;
  // A signature that it may hold stands in no message.
  const reason = `located an object where it may not go: ${host}`;
  onBreach(reason);
  throw new PluginError("failed", `Cannot open an object: its plugin ${reason}`);
}

async function ask(
  url: string,
  span: ByteSpan | undefined,
): Promise<Response | undefined> {
  const end = new AbortController();
  const timer = setTimeout(() => end.abort(), HEAD_MS);
  const range = span && `bytes=${span.offset}-${span.offset + span.length - 1}`;
  try {
    return await fetch(url, {
      headers: { "Accept-Encoding": "identity", ...(range && { Range: range }) },
      redirect: "error",
      signal: end.signal,
      client,
    });
  } catch {
    // Why would be in a message with the whole URL; the plugin will meet the same, and say it.
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** The object's facts, where the answer is just what was asked for. */
function factsOf(
  { status, headers }: Response,
  span: ByteSpan | undefined,
): { readonly size: number; readonly modifiedAtMs: number } | undefined {
  const length = Number(headers.get("Content-Length") ?? NaN);
  const modifiedAtMs = Date.parse(headers.get("Last-Modified") ?? "");
  if (!span) return status === 200 && length >= 0 ? { size: length, modifiedAtMs } : undefined;
  const [, first, size] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get("Content-Range") ?? "") ?? [];
  const isAsked = status === 206 && Number(first) === span.offset && length === span.length;
  return isAsked ? { size: Number(size), modifiedAtMs } : undefined;
}
