/**
 * Results grouped by some axes. The other axes that all results have are blocks (data sets, encoders): a group is compared block by block, and
 * its spread is over blocks. What only some results have (the axes of one method's own) is averaged within a block.
 */
import { ranks } from "../math/ranks.ts"
import { studentReach } from "../math/student.ts"
import { better } from "./better.ts"
import { type Replicate, type Result, summary } from "./result.ts"

export interface Grouping {
  readonly results: ReadonlyArray<Result>
  /** Axes whose values are blocks. */
  readonly blocks: ReadonlyArray<string>
  /** Axes averaged over within a block. */
  readonly averaged: ReadonlyArray<string>
}

const mean = (values: ReadonlyArray<number>) => values.reduce((sum, value) => sum + value, 0) / values.length
const varies = (results: ReadonlyArray<Result>, axis: string) => new Set(results.map(({ axes }) => axes[axis])).size > 1
const part = (axes: Result["axes"], names: ReadonlyArray<string>) => Object.fromEntries(names.flatMap((name) => axes[name] === undefined ? [] : [[name, axes[name]]]))

/** The replicates of several results as those of their mean. */
const together = (members: ReadonlyArray<Result>): ReadonlyArray<Replicate> =>
  [...Map.groupBy(members.flatMap(({ each }) => each), ({ name }) => name)].filter(([, same]) => same.length === members.length)
    .map(([name, same]) => ({ name, value: mean(same.map(({ value }) => value)), node: same[0]!.node }))

/** Groups results by axes that they have. */
export const groupBy = (results: ReadonlyArray<Result>, by: ReadonlyArray<string>): Grouping => {
  const others = [...new Set(results.flatMap(({ axes }) => Object.keys(axes)))].filter((axis) => !by.includes(axis) && varies(results, axis))
  const blocks = others.filter((axis) => results.every(({ axes }) => axes[axis] !== undefined)), averaged = others.filter((axis) => !blocks.includes(axis))
  const grouped = [...Map.groupBy(results, ({ axes, metric, stage, task }) => JSON.stringify([stage, task, metric, part(axes, by)])).values()].map((members): Result => {
    const [first] = members as [Result, ...Array<Result>]
    const byBlock = [...Map.groupBy(members, ({ axes }) => blocks.map((axis) => `${axis}=${axes[axis]}`).join(" "))]
    const each = blocks.length === 0 ? together(members) : byBlock.map(([name, of]) => ({ name, value: mean(of.map((result) => result.mean)), node: -1 }))
    const values = each.map(({ value }) => value), n = values.length, { mean: middle, sd } = summary(values)
    const half = n < 2 ? Number.NaN : studentReach(0.95, n - 1) * sd / Math.sqrt(n)
    return {
      axes: part(first.axes, by),
      stage: first.stage,
      task: first.task,
      metric: first.metric,
      split: first.split,
      mean: middle,
      sd,
      replicates: n,
      each,
      ...(blocks.length === 0 ? {} : { blocks }),
      members: byBlock.map(([, of]) => of),
      samples: members.reduce((sum, { samples }) => sum + samples, 0),
      ci: { low: middle - half, high: middle + half, over: blocks.length === 0 ? "replicates" : "blocks" },
      keys: members.flatMap(({ keys }) => keys)
    }
  })
  return { results: grouped, blocks, averaged }
}

/** The mean rank of each result of one metric over the blocks that all of them have, 1 for the best; equal ones share theirs. */
export const meanRanks = (results: ReadonlyArray<Result>): ReadonlyMap<Result, number> => {
  const [first] = results
  const names = first === undefined ? [] : first.each.map(({ name }) => name).filter((name) => results.every(({ each }) => each.some((block) => block.name === name)))
  if (first === undefined || names.length < 2) return new Map()
  const sign = better(`${first.task}.${first.metric}`, 0, 1) ? 1 : -1
  const byBlock = names.map((name) => ranks(results.map(({ each }) => sign * each.find((block) => block.name === name)!.value)))
  return new Map(results.map((result, i) => [result, mean(byBlock.map((of) => of[i]!))]))
}
