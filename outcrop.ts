/**
 * What a stage may import: `import { Annotations, Samples, Stage, stream } from "outcrop"`. Built-in stages and a user's own import the
 * same names. This module enters a stage's key by `contract`, not by its text: raise it when a change here changes what stages compute.
 */
export * as Stage from "./stages/stage.ts"
export { Annotations } from "./schemas/annotations.ts"
export { Embeddings } from "./schemas/embeddings.ts"
export { History } from "./schemas/history.ts"
export { Metrics } from "./schemas/metrics.ts"
export { Pairs } from "./schemas/pairs.ts"
export { Predictions } from "./schemas/predictions.ts"
export { Samples } from "./schemas/samples.ts"
export { Split } from "./schemas/split.ts"
export { Weights } from "./schemas/weights.ts"
export { type Asset, type OpenColumn, type Vectors, vectorAt } from "./schemas/column.ts"
export { type Random, stream } from "./math/random.ts"

/** Version of this contract; part of every key. */
export const contract = 1
