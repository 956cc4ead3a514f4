import { column, table } from "./table.ts"

/**
 * What a probe says of each sample, one row a sample and task. The class names of a classification task `x` are in the metadata
 * under `x`, as a JSON list, in the order of `scores`.
 */
export const Predictions = table({
  name: "predictions",
  description: "what a probe says of each sample, one row a sample and task",
  key: ["sample_id", "task"],
  columns: {
    sample_id: column("text", "sample"),
    split: column("text", "train, val, test or unused", { oneOf: ["train", "val", "test", "unused"] }),
    task: column("text", "name of the task: class, box, position, ..."),
    truth: column("numbers", "class id, multi-hot labels, or the target values"),
    predicted: column("numbers", "class id, multi-hot labels, or the predicted values"),
    scores: column("floats", "a probability or score for each class; empty for a regression")
  }
})
