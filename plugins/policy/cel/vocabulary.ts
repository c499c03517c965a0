import { ENVIRONMENT } from "./environment.ts";
import type { Shape } from "./shapes.ts";
import { VARIABLES } from "./variables.ts";

/** What the rules of one kind can say. */
export interface Vocabulary {
  /** What they know. */
  readonly variables: Readonly<Record<string, Shape>>;
  /** The functions that they can call. */
  readonly environment: typeof ENVIRONMENT;
  /** Whether a field of which nothing is known is `null`; else it is missing, and reading it an error. */
  readonly unknownIsNull: boolean;
}

/** What rules of access can say. */
export const ACCESS: Vocabulary = { variables: VARIABLES, environment: ENVIRONMENT, unknownIsNull: true };
