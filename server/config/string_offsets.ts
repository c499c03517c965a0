import type { TextSpan } from "./scan.ts";

/** Part of a string, in UTF-16 units. */
export interface StringPart {
  readonly offset: number;
  readonly length: number;
}

/** What stands for one unit of a string, or two, or none: an escape, the end of a line that goes on, a plain unit. */
const BASIC_PIECE = /\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8}|\\x[0-9A-Fa-f]{2}|\\[ \t]*\r?\n[ \t\r\n]*|\\.|[^]/y;
const LITERAL_PIECE = /[^]/y;
const OPENING = /^(?:"""|''')\r?\n|^"""|^'''|^["']/;

/**
 * Where a part of a string stands in `raw`, the TOML text that writes the string, quotes included. An escape of which
 * only half is meant is meant as a whole; no part, at the end of the string, is the quote after it.
 */
export function locateInString(raw: string, { offset, length }: StringPart): TextSpan {
  const opening = OPENING.exec(raw)![0];
  const close = raw.length - opening.trimEnd().length;
  const pattern = raw.startsWith('"') ? BASIC_PIECE : LITERAL_PIECE;
  let span: TextSpan | undefined;
  for (let at = opening.length, decoded = 0; at < close && decoded < offset + Math.max(1, length);) {
    pattern.lastIndex = at;
    const piece = pattern.exec(raw)![0];
    decoded += decodedLength(piece);
    if (decoded > offset) span = { start: span?.start ?? at, end: at + piece.length };
    at += piece.length;
  }
  return span ?? { start: close, end: close };
}

function decodedLength(piece: string): number {
  if (/^\\\s/.test(piece)) return 0;
  return piece.startsWith("\\U") && parseInt(piece.slice(2), 16) > 0xffff ? 2 : 1;
}
