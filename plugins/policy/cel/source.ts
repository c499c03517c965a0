import { descendants, type Expression, nameOf, type ParsedRule } from "./tree.ts";

/** A part of a rule's text, in UTF-16 code units. */
export interface Span {
  readonly offset: number;
  readonly length: number;
}

/** Finds the parts of a rule in its text. */
export interface Source {
  /** The whole text. */
  readonly whole: Span;
  /** The part from its first word to its last; brackets around it or at its end are not seen. */
  spanOf(expression: Expression): Span;
  /** The operator, or the name of the function, that the part is. */
  spanOfCall(call: Expression): Span;
  /** The field's name in a part that is a field of something. */
  spanOfField(select: Expression, field: string): Span;
}

/** Finds the parts of `parsed` in the text that it was made of. */
export function createSource(text: string, { sourceInfo }: ParsedRule): Source {
  const positionOf = ({ id }: Expression) => sourceInfo?.positions[String(id)] ?? 0;
  const wordAt = (offset: number): Span => {
    WORD.lastIndex = offset;
    const [, before = "", word = ""] = WORD.exec(text) ?? [];
    return { offset: offset + before.length, length: Math.max(word.length, 1) };
  };
  return {
    whole: { offset: 0, length: text.length },
    spanOf(expression) {
      const words = [...descendants(expression)].map((part) => wordAt(positionOf(part)));
      const offset = Math.min(...words.map((word) => word.offset));
      return { offset, length: Math.max(...words.map((word) => word.offset + word.length)) - offset };
    },
    spanOfCall: (call) => wordAt(positionOf(call)),
    spanOfField(select, field) {
      const operand = select.exprKind.case === "selectExpr" ? select.exprKind.value.operand : undefined;
      // Of `has(a.b)` only the place of `has` is known, so that the field is looked for behind what it is a field of.
      const from = Math.max(positionOf(select), operand ? endOf(wordAt(positionOf(operand)), operand) : 0);
      return { offset: Math.max(text.indexOf(field, from), 0), length: field.length };
    },
  };
}

function endOf({ offset, length }: Span, expression: Expression): number {
  return nameOf(expression) === undefined ? offset : offset + length;
}

/** What stands at a part's place: a dot and a field, a text, a name or number, or an operator. */
const WORD =
  /(\s*(?:\.\s*)?)([rRbB]{0,2}(?:'''[\s\S]*?'''|"""[\s\S]*?"""|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|-?\d[\w.]*|\w+|&&|\|\||[=!<>]=|[^\s\w])/y;
