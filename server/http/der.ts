/**
 * Reads DER (X.690), as far as certificates need it: definite lengths, tags of one octet.
 *
 * @module
 */

/** One value: its tag octet and what it contains. */
export interface DerValue {
  readonly tag: number;
  readonly content: Uint8Array;
}

/** The tags that certificates are made of. */
export const DER_TAGS = {
  boolean: 0x01,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  bmpString: 0x1e,
} as const;

/** The one value that `bytes` is. Throws where it is none, or more than one. */
export function parseDer(bytes: Uint8Array): DerValue {
  const [value, ...rest] = parseDerList(bytes);
  if (value === undefined || rest.length > 0) throw new SyntaxError("Cannot read DER: not one value");
  return value;
}

/** The values that `bytes` is a row of: what a sequence or a set contains. Throws where it is none. */
export function parseDerList(bytes: Uint8Array): DerValue[] {
  const values: DerValue[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const { start, end } = measure(bytes, offset);
    values.push({ tag: bytes[offset]!, content: bytes.subarray(start, end) });
    offset = end;
  }
  return values;
}

/** What the sequence, set or constructed value `value` contains, if its tag is `tag`. Throws where it is not. */
export function expectDer(value: DerValue | undefined, tag: number): DerValue[] {
  if (value?.tag !== tag) throw new SyntaxError(`Cannot read DER: no value of tag 0x${tag.toString(16)}`);
  return parseDerList(value.content);
}

/** An object identifier in dotted numbers. */
export function formatOid(content: Uint8Array): string {
  const numbers: number[] = [];
  let number = 0;
  for (const octet of content) {
    number = number * 128 + (octet & 0x7f);
    if (octet < 0x80) {
      numbers.push(number);
      number = 0;
    }
  }
  const [head = 0, ...rest] = numbers;
  const first = Math.min(Math.floor(head / 40), 2);
  return [first, head - first * 40, ...rest].join(".");
}

/** The text of a string value of any of the types that names come in (RFC 5280, DirectoryString). Throws on bad text. */
export function parseDerText({ tag, content }: DerValue): string {
  if (tag === DER_TAGS.utf8String) return new TextDecoder("utf-8", STRICT).decode(content);
  if (tag === DER_TAGS.bmpString) return new TextDecoder("utf-16be", STRICT).decode(content);
  return parseDerAscii(content);
}

/** The text of octets that must be ASCII, as IA5String and PrintableString are. Throws where they are not. */
export function parseDerAscii(content: Uint8Array): string {
  if (content.some((octet) => octet > 0x7f)) throw new SyntaxError("Cannot read DER: text that is not ASCII");
  return new TextDecoder("ascii").decode(content);
}

const STRICT = { fatal: true, ignoreBOM: true } as const;

function measure(bytes: Uint8Array, offset: number): { start: number; end: number } {
  const tag = bytes[offset]!;
  const first = bytes[offset + 1];
  if ((tag & 0x1f) === 0x1f || first === undefined) {
    throw new SyntaxError("Cannot read DER: a tag it has not");
  }
  const octets = first < 0x80 ? 0 : first & 0x7f;
  const start = offset + 2 + octets;
  if (first === 0x80 || octets > 4 || start > bytes.length) {
    throw new SyntaxError("Cannot read DER: a length it has not");
  }
  const length = octets === 0
    ? first
    : bytes.subarray(offset + 2, start).reduce((sum, octet) => sum * 256 + octet, 0);
  if (start + length > bytes.length) throw new SyntaxError("Cannot read DER: it ends too early");
  return { start, end: start + length };
}
