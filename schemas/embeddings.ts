import { column, table } from "./table.ts"

/** One vector a sample and view. */
export const Embeddings = table({
  name: "embeddings",
  description: "one vector a sample and view",
  key: ["sample_id", "view"],
  columns: {
    sample_id: column("text", "sample"),
    view: column("text", "which view of the sample was embedded: full, masked, augmented, ..."),
    embedding: column("vectors", "the vector, float32, finite", { finite: true })
  }
})
