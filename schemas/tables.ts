import { Annotations } from "./annotations.ts"
import { Embeddings } from "./embeddings.ts"
import { History } from "./history.ts"
import { Metrics } from "./metrics.ts"
import { Pairs } from "./pairs.ts"
import { Predictions } from "./predictions.ts"
import { Samples } from "./samples.ts"
import { Split } from "./split.ts"
import type { TableSchema } from "./table.ts"
import { Weights } from "./weights.ts"

/** Every kind of table, by name. */
export const tableSchemas: Readonly<Record<string, TableSchema>> = Object.fromEntries(
  [Samples, Split, Embeddings, Annotations, Pairs, Weights, History, Predictions, Metrics].map((table): readonly [string, TableSchema] => [table.name, table])
)
