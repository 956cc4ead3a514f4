import { column, table } from "./table.ts"

/** What a `fit` learned, as named arrays: layers, centres, scales, thresholds. */
export const Weights = table({
  name: "weights",
  description: "what a fit learned, as named arrays: layers, centres, scales, thresholds",
  key: ["layer"],
  columns: {
    layer: column("text", "name of the array"),
    shape: column("numbers", "its dimensions; empty for one number"),
    values: column("numbers", "its values, row-major float64 (float32 values are exact in it)")
  }
})
