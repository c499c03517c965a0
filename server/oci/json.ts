/** Deepest nesting of objects and arrays that is read. */
export const JSON_DEPTH_MAX = 64;

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:,]/sy;
const NOT_A_TOKEN = /[^"{}[\]:,]+/y;

/**
 * The value of a JSON text (RFC 8259). Throws a SyntaxError for what is not JSON, for nesting deeper than
 * `JSON_DEPTH_MAX`, and for an object that names a member twice, in whatever case: readers differ in which one they
 * believe, and some (Go's) match names without regard to case.
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  refuseAmbiguity(text);
  return value;
}

/** Walks the tokens of `text`, which is known to be JSON. */
function refuseAmbiguity(text: string): void {
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length;) {
    NOT_A_TOKEN.lastIndex = at;
    at += NOT_A_TOKEN.exec(text)?.[0].length ?? 0;
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text)?.[0];
    if (token === undefined) return;
    at += token.length;
    if (token === "{" || token === "[") open.push(token === "{" ? new Set() : undefined);
    else if (token === "}" || token === "]") open.pop();
    else if (token[0] === '"' && isMemberName(text, at)) addName(open.at(-1), token);
    if (open.length > JSON_DEPTH_MAX) throw new SyntaxError(`nested deeper than ${JSON_DEPTH_MAX}`);
  }
}

function isMemberName(text: string, at: number): boolean {
  while (" \t\n\r".includes(text[at] ?? "x")) at++;
  return text[at] === ":";
}

function addName(names: Set<string> | undefined, token: string): void {
  const name = (JSON.parse(token) as string).toLowerCase();
  if (names?.has(name)) throw new SyntaxError(`member ${token} is given twice`);
  names?.add(name);
}
