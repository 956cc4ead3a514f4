import { column, table } from "./table.ts"

/** Mined positives: which sample is to lie near which. */
export const Pairs = table({
  name: "pairs",
  description: "mined positives: which sample is to lie near which",
  key: ["anchor", "positive"],
  columns: {
    anchor: column("text", "sample"),
    positive: column("text", "sample that is to lie near the anchor"),
    weight: column("float", "weight of the pair", { finite: true })
  }
})
