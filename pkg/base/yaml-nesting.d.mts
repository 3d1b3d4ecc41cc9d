export declare class YamlNestingError extends Error {
  readonly offset: number;
  constructor(depth: number, offset: number);
}
export declare function checkNesting(root: object, depth: number): void;
