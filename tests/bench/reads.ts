/**
 * The requests that only read, as runs.
 *
 * @module
 */

import { type Answer, Connection, header, prepare, type Prepared, type Target } from "./client.ts";
import type { Run } from "./measure.ts";

const ACCEPT = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "*/*",
];

/** The request `line` with what a client says it accepts; it must be answered by 200. */
export function read(target: Target, line: string): Prepared {
  return prepare(target, line, { headers: [`accept: ${ACCEPT.join(", ")}`], status: 200 });
}

/** The same request each time; an answer of other than `bytes` bytes is an error. */
export function always(request: Prepared, bytes?: number): Run {
  const wanted = request.bodiless ? 0 : bytes;
  return async (connection) => {
    const { bodyBytes } = await connection.exchange(request);
    if (wanted !== undefined && bodyBytes !== wanted) {
      throw new Error(`Cannot measure: wanted ${wanted} bytes, got ${bodyBytes}`);
    }
    return bodyBytes;
  };
}

/** One page each time, all of them in turn. */
export async function eachPage(target: Target, path: string): Promise<Run> {
  const requests: Prepared[] = [];
  using connection = await Connection.open(target);
  for (let page: string | undefined = path; page !== undefined;) {
    const request = read(target, `GET ${page}`);
    requests.push(request);
    page = nextPage(target, await connection.exchange(request));
  }
  let turn = 0;
  return async (connection) => (await connection.exchange(requests[turn++ % requests.length]!)).bodyBytes;
}

/** All pages each time, from the first to the one without a next. */
export function everyPage(target: Target, path: string): Run {
  return async (connection) => {
    let bytes = 0;
    for (let page: string | undefined = path; page !== undefined;) {
      const answer = await connection.exchange(read(target, `GET ${page}`));
      bytes += answer.bodyBytes;
      page = nextPage(target, answer);
    }
    return bytes;
  };
}

/** Whether `path` is answered by 200 at all. */
export async function isServed(target: Target, path: string): Promise<boolean> {
  const answer = await fetch(target.url + path);
  await answer.body?.cancel();
  return answer.status === 200;
}

function nextPage(target: Target, answer: Answer): string | undefined {
  const link = header(answer, "link")?.match(/<([^>]+)>/)?.[1];
  if (link === undefined) return undefined;
  const { pathname, search } = new URL(link, target.url);
  return pathname + search;
}
