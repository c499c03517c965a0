/**
 * Several configuration files as one: tables merge key by key, lists of tables (`[[binding]]`) are joined in the order
 * of the files, and any other key may be set in two files only if both say the same.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";
import type { KeyMark, TextSpan } from "./scan.ts";
import { type DocumentSource, isTable, type TomlTable, type TomlValue } from "./toml.ts";

/** A file of the configuration, read. */
export interface ParsedFile extends DocumentSource {
  readonly value: TomlTable;
  readonly marks: KeyMark;
}

/** A key of the merged document: the file that writes it (for tables the first of them), where, and what is below it. */
export interface WrittenKey {
  readonly file: ParsedFile;
  readonly key: TextSpan;
  readonly value: TextSpan;
  readonly children: ReadonlyMap<string, WrittenKey>;
}

/** A key that two files set to different values. */
export interface MergeConflict {
  readonly path: readonly string[];
  readonly first: WrittenKey;
  readonly second: WrittenKey;
}

/** What several files say together. Where two contradict each other, the first one's word stands. */
export interface MergedFiles {
  readonly value: TomlTable;
  readonly written: WrittenKey;
  readonly conflicts: readonly MergeConflict[];
}

/** Merges files in their order. None of them is changed. */
export function mergeFiles(files: readonly [ParsedFile, ...ParsedFile[]]): MergedFiles {
  const conflicts: MergeConflict[] = [];
  const nodes = files.map((file) => ({ value: file.value, written: attribute(file.marks, file) }));
  const { value, written } = nodes.reduce((first, second) =>
    mergeTables({ first, second, path: [], conflicts })
  );
  return { value, written, conflicts };
}

interface Node<Value = TomlValue> {
  readonly value: Value;
  readonly written: WrittenKey;
}

interface Pair<Value = TomlValue> {
  readonly first: Node<Value>;
  readonly second: Node<Value>;
  readonly path: readonly string[];
  readonly conflicts: MergeConflict[];
}

function merge(pair: Pair): Node {
  const { first, second, path, conflicts } = pair;
  if (isPair(pair, isTable)) return mergeTables(pair);
  if (isPair(pair, isTableList)) return joinLists(pair);
  if (!isDeepStrictEqual(first.value, second.value)) {
    conflicts.push({ path, first: first.written, second: second.written });
  }
  return first;
}

function isPair<V extends TomlValue>(pair: Pair, is: (value: TomlValue) => value is V): pair is Pair<V> {
  return is(pair.first.value) && is(pair.second.value);
}

function isTableList(value: TomlValue): value is TomlTable[] {
  return Array.isArray(value) && value.length > 0 && value.every(isTable);
}

function mergeTables({ first, second, path, conflicts }: Pair<TomlTable>): Node<TomlTable> {
  const nodes = new Map(entries(first));
  for (const [key, added] of entries(second)) {
    const present = nodes.get(key);
    const node = present && merge({ first: present, second: added, path: [...path, key], conflicts });
    nodes.set(key, node ?? added);
  }
  const children = new Map([...nodes].map(([key, { written }]) => [key, written]));
  const value = Object.fromEntries([...nodes].map(([key, { value }]) => [key, value]));
  return { value, written: { ...first.written, children } };
}

function entries({ value, written }: Node<TomlTable>): [string, Node][] {
  return Object.entries(value).map((
    [key, item],
  ) => [key, { value: item, written: written.children.get(key)! }]);
}

function joinLists({ first, second }: Pair<TomlTable[]>): Node {
  const elements = [...first.written.children.values(), ...second.written.children.values()];
  const children = new Map(elements.map((element, position) => [String(position), element]));
  return { value: [...first.value, ...second.value], written: { ...first.written, children } };
}

function attribute({ key, value, children }: KeyMark, file: ParsedFile): WrittenKey {
  const below = [...children].map(([name, child]) => [name, attribute(child, file)] as const);
  return { file, key, value, children: new Map(below) };
}
