/** The XML of S3's bodies. The only file that knows the parser. */

import { XMLParser } from "fast-xml-parser";

/** The elements of a body: texts, elements within, and lists of those that can be there more than once. */
export type Element = { readonly [name: string]: unknown };

const PARSER = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  parseTagValue: false,
  processEntities: true,
  htmlEntities: true,
  isArray: (name) => name === "Upload",
});

/** The keys of a list, of which the parser would take 20 ms a thousand to make sense of all that is said besides. */
export function keysOf(body: string): string[] {
  return Array.from(body.matchAll(/<Key>([^<]*)<\/Key>/g), ([, text]) => unescapeXml(text!));
}

/** What is in the body's root element, whatever its name; `undefined` where the body is not XML. */
export function parseXml(body: string): Element | undefined {
  try {
    const [root] = Object.values(PARSER.parse(body) as Element);
    return typeof root === "object" && root !== null ? root as Element : undefined;
  } catch {
    return undefined;
  }
}

/** The text of an element, or `undefined` where there is none. */
export function textOf(element: Element | undefined, name: string): string | undefined {
  const value = element?.[name];
  return typeof value === "string" ? value : undefined;
}

/** The elements of a list. */
export function listOf(element: Element, name: string): readonly Element[] {
  return (element[name] ?? []) as readonly Element[];
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (entity, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[name] ?? entity;
    return String.fromCodePoint(parseInt(decimal ?? hex, decimal === undefined ? 16 : 10));
  });
}
