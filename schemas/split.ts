import { column, table } from "./table.ts"

/** Which samples train, validate and test. The engine reads it to decide which rows `fit` gets. */
export const Split = table({
  name: "split",
  description: "which samples train, validate and test",
  key: ["sample_id"],
  columns: {
    sample_id: column("text", "sample"),
    split: column("text", "train, val, test or unused", { oneOf: ["train", "val", "test", "unused"] })
  }
})
