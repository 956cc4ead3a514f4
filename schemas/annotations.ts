import { column, table } from "./table.ts"

/**
 * What mining says of each sample: one open column an annotation. Class ids are int32 (-1: none), scores float32, targets vectors.
 * The class names of an integer column `x` are in the metadata under `x`, as a JSON list.
 */
export const Annotations = table({
  name: "annotations",
  description: "what mining says of each sample: class ids (int32, -1: none), scores (float32), target vectors",
  key: ["sample_id"],
  open: true,
  columns: { sample_id: column("text", "sample") }
})
