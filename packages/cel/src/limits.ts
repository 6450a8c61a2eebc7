/** Every bound of the gate (design 3.1); the library has none of its own. */
export const limits = {
  /** UTF-8 bytes of an expression. */
  source: 4096,
  /** Nodes of its tree, macros expanded. */
  nodes: 500,
  /** How deep they nest. */
  depth: 64,
  /** How deep loops nest. */
  loops: 2,
  /** Steps of one evaluation: about one for each node that a loop evaluates. */
  fuel: 100_000,
  /** UTF-16 units of a text that a condition makes. */
  text: 65_536,
  /** Items of a list that a condition reads or makes. */
  list: 10_000,
  /** UTF-16 units of a text that is read as a number, a boolean, a moment or a duration. */
  scalar: 128,
} as const
