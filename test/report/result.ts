/** Results for the tests of reports. */
import { type Result, summary } from "../../report/result.ts"

/** A result with a value in each seed; nodes are numbered from `from`. */
export const result = (axes: Result["axes"], metric: string, values: ReadonlyArray<number>, from = 0, more: Partial<Result> = {}): Result => ({
  axes,
  stage: "probe",
  task: "class",
  metric,
  split: "test",
  ...summary(values),
  replicates: values.length,
  each: values.map((value, i) => ({ name: `seed=${i}`, value, node: from + i })),
  samples: 100,
  ci: { low: Number.NaN, high: Number.NaN, over: "replicates" },
  keys: [],
  ...more
})
