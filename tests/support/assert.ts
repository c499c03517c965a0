/** `@std/assert` cannot be had without JSR; Node's strict assertions stand in for it, behind this one file. */
export {
  deepStrictEqual as assertEquals,
  match as assertMatch,
  ok as assert,
  rejects as assertRejects,
  throws as assertThrows,
} from "node:assert/strict";
