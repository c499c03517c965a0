/** Something wrong in a rule. */
export interface RuleProblem {
  /** The part of the rule's text that is wrong, in UTF-16 code units. */
  readonly offset: number;
  readonly length: number;
  readonly message: string;
}
