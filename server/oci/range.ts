/** Bytes `offset` to `offset + length - 1` of something. */
export interface Span {
  readonly offset: number;
  readonly length: number;
}

const BYTES = /^bytes=([0-9]{0,15})-([0-9]{0,15})$/;

/**
 * What a `Range` header asks of something `size` bytes long (RFC 9110, section 14): a span, or that it cannot be
 * satisfied. `undefined`, which means all of it, for what RFC 9110 lets a server ignore: an unknown unit, several
 * ranges, a malformed one, the end of an empty thing.
 */
export function parseRange(text: string, size: number): Span | "unsatisfiable" | undefined {
  const [, first, last] = BYTES.exec(text.replaceAll(" ", "")) ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return undefined;
  if (first === "") return size === 0 ? undefined : suffix(Number(last), size);
  const offset = Number(first);
  const end = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (offset >= size || (last !== "" && Number(last) < offset)) return "unsatisfiable";
  return { offset, length: end - offset + 1 };
}

function suffix(length: number, size: number): Span | "unsatisfiable" {
  if (length === 0) return "unsatisfiable";
  const kept = Math.min(length, size);
  return { offset: size - kept, length: kept };
}

/** The `Content-Range` of a 206. */
export function formatContentRange(span: Span, size: number): string {
  return `bytes ${span.offset}-${span.offset + span.length - 1}/${size}`;
}

/** The `Content-Range` of a 416. */
export function formatUnsatisfiedRange(size: number): string {
  return `bytes */${size}`;
}
