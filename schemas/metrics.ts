import { column, table } from "./table.ts"

/** How good it is, one row a task, metric, class and split. */
export const Metrics = table({
  name: "metrics",
  description: "how good it is, one row a task, metric, class and split",
  key: ["task", "metric", "class", "split"],
  columns: {
    task: column("text", "name of the task"),
    metric: column("text", "accuracy, f1_weighted, r2, ..."),
    class: column("text", "the class, where the metric is of one class; empty otherwise"),
    split: column("text", "the split it was measured on"),
    value: column("number", "NaN where it is not defined (AUC with one class)"),
    n: column("integer", "samples it was measured on"),
    ci_low: column("number", "95% bootstrap interval over the samples; NaN: not computed"),
    ci_high: column("number", "95% bootstrap interval over the samples; NaN: not computed")
  }
})
