/**
 * A line of text as an object that differs from any other, the same line put again among them: what was read of it
 * can be removed on the condition that nobody has put it again.
 */
export function markLine(line: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${line}\n${crypto.randomUUID()}`);
}

/** The line of an object that `markLine` made. */
export function readLine(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes);
  const end = text.indexOf("\n");
  return end === -1 ? text : text.slice(0, end);
}
