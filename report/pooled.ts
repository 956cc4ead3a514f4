/**
 * Metrics over the test predictions of all replicates together: with a split that leaves one group out at a time, every sample is tested
 * once, and the AUC of all of them is not the mean of the groups' AUCs (which a group without positives does not even have).
 * The interval is a bootstrap over samples.
 */
import { bootstrap } from "../math/bootstrap.ts"
import { stream } from "../math/random.ts"
import { epochsBehind } from "./epochs.ts"
import { type Finished, groups, tableOf } from "./finished.ts"
import { gather, measured, type Predictions } from "./predictions.ts"
import type { Result } from "./result.ts"

/** The metrics named (`task.metric`), pooled over replicates, on one split. */
export const pooled = (finished: Finished, split: string, names: ReadonlyArray<string>): Array<Result> => {
  const epochsOf = epochsBehind(finished)
  return groups(finished, "predictions").flatMap(({ axes, nodes, output, stage }) => {
    const byTask = new Map<string, Predictions>()
    for (const node of nodes) {
      const table = tableOf(finished, node, output)
      if (table !== undefined) gather(table, split, byTask)
    }
    const epochs = epochsOf(nodes)
    return [...byTask].flatMap(([task, predictions]) => {
      const asked = names.filter((name) => name.startsWith(`${task}.`)).map((name) => name.slice(task.length + 1))
      if (asked.length === 0) return []
      const measures = measured(predictions, asked, (n, statistics) => bootstrap(n, 1000, stream(0, "pooled", task), statistics))
      return measures.filter(({ metric, of }) => of === "" && asked.includes(metric)).map(({ high, low, metric, n, value }): Result => ({
        axes,
        stage,
        task,
        metric: `${metric} (pooled)`,
        split,
        mean: value,
        sd: Number.NaN,
        replicates: nodes.length,
        each: [],
        samples: n,
        ci: { low, high, over: "samples" },
        ...(epochs === undefined ? {} : { epochs }),
        keys: nodes.map((node) => finished.keys[node.index]!)
      }))
    })
  })
}
