/**
 * What a file with a loss imports: `import { Train } from "outcrop/train"`. It becomes part of the stage's closure, hence of its key.
 *
 * ```ts
 * import * as Schema from "effect/Schema"
 * import { Stage } from "outcrop"
 * import { Train } from "outcrop/train"
 *
 * export default Train.make({
 *   name: "train/compact",
 *   version: 1,
 *   summary: "pulls the samples of a class together",
 *   with: { weight: Stage.withDefault(Schema.Finite, 1) },
 *   annotations: () => ["class"],
 *   loss: (tf, { annotations, z }, { weight }) => ...
 * })
 * ```
 */
export * as Train from "./training.ts"
/** Triplet losses of a distance matrix, with their gradients in closed form, to build on. */
export * as Triplets from "./triplet-gradients.ts"
/** Contrastive losses of projections and keys, to build on. */
export * as Contrastive from "./contrastive.ts"
