/** Figures that do not say what they seem to: of classes never trained on, of one answer for everything, undefined, or of too few samples. */
import type { Node } from "../../engine/expand.ts"
import type { ColumnTypes } from "../../schemas/column.ts"
import type { Table } from "../../schemas/table.ts"
import { type Evidence, gives } from "./evidence.ts"
import type { Found, Outcome } from "./finding.ts"

const text = ({ columns }: Table, name: string) => columns.get(name)!.column as ColumnTypes["text"]
const numbers = ({ columns }: Table, name: string) => columns.get(name)!.column as ColumnTypes["numbers"]

/** Goes through the tables of predictions, those that agree in these columns as one: only what differs is read, one at a time. */
const inPredictions = (
  { cellsOf, measured, outputOf, table }: Evidence,
  columns: ReadonlyArray<string>,
  look: (predictions: Table, of: { readonly stage: string; readonly cells: ReadonlyArray<number> }) => ReadonlyArray<Found>,
  wanted: (node: Node) => boolean = () => true
): ReadonlyArray<Found> => {
  const given = measured.filter(wanted).flatMap((node) => {
    const output = gives(node, "predictions"), found = output === undefined ? undefined : outputOf({ node: node.index, output })
    return output === undefined || found === undefined ? [] : [{ node, at: { node: node.index, output }, id: `${columns.map((name) => found.columns[name]!.digest).join(" ")} ${JSON.stringify(found.metadata)}` }]
  })
  return [...Map.groupBy(given, ({ id }) => id).values()].flatMap((alike) => {
    const predictions = table(alike[0]!.at)
    return predictions === undefined ? [] : look(predictions, { stage: alike[0]!.node.stage, cells: alike.flatMap(({ node }) => cellsOf(node)) })
  })
}

/** The classes that a truth names: an id, or a mark a class. */
const classesIn = (truth: ArrayLike<number>, names: ReadonlyArray<string>): ReadonlyArray<number> =>
  truth.length === 1 ? [truth[0]!] : truth.length === names.length ? Array.from(truth, (has, c) => has > 0 ? c : -1).filter((c) => c >= 0) : []

/** Every class of the test samples is one of the training samples'. */
export const classesTrained = (evidence: Evidence): Outcome => {
  const tasks = new Set<string>()
  const found = inPredictions(evidence, ["sample_id", "split", "task", "truth"], (predictions, { cells, stage }) => {
    const ids = text(predictions, "sample_id"), roles = text(predictions, "split"), task = text(predictions, "task"), truth = numbers(predictions, "truth")
    return Object.entries(predictions.metadata).flatMap(([name, listed]): ReadonlyArray<Found> => {
      const names = JSON.parse(listed) as ReadonlyArray<string>, trained = new Set<number>(), strange = new Map<number, Array<string>>()
      const rows = Array.from(task.keys()).filter((row) => task[row] === name)
      // a probe that predicts test samples alone says nothing of what it was trained on
      if (!rows.some((row) => roles[row] === "train")) return []
      tasks.add(name)
      for (const row of rows) if (roles[row] === "train") for (const c of classesIn(truth[row]!, names)) trained.add(c)
      for (const row of rows) {
        if (roles[row] !== "test") continue
        for (const c of classesIn(truth[row]!, names)) if (c >= 0 && !trained.has(c)) strange.set(c, [...strange.get(c) ?? [], ids[row]!])
      }
      if (strange.size === 0) return []
      const samples = [...strange.values()].flat(), listedNames = [...strange.keys()].map((c) => names[c] ?? String(c))
      return [{
        level: "warning",
        kind: `${stage} ${name}`,
        what: `test samples of "${stage}" of a class that no training sample has, which count as wrong: ${samples.length} (${name}: ${listedNames.slice(0, 5).join(", ")}${listedNames.length > 5 ? ", ..." : ""})`,
        count: samples.length,
        examples: samples,
        cells
      }]
    })
  })
  return tasks.size === 0 ? { inapplicable: "no predictions of classes for training samples as well" } : { looked: `${tasks.size === 1 ? "the task" : "the tasks"} ${[...tasks].join(", ")}`, found }
}

interface Figure {
  readonly node: Node
  readonly task: string
  readonly metric: string
  readonly of: string
  readonly split: string
  readonly value: number
  readonly n: number
}

const known = new WeakMap<Evidence, ReadonlyArray<Figure>>()
/** Every figure that there is. */
const figuresOf = (evidence: Evidence): ReadonlyArray<Figure> => {
  const read = known.get(evidence) ?? evidence.measured.flatMap((node) => {
    const metrics = evidence.table({ node: node.index, output: gives(node, "metrics")! })
    if (metrics === undefined) return []
    const metric = text(metrics, "metric"), of = text(metrics, "class"), split = text(metrics, "split")
    const value = metrics.columns.get("value")!.column as Float64Array, n = metrics.columns.get("n")!.column as Int32Array
    return text(metrics, "task").map((task, row): Figure => ({ node, task, metric: metric[row]!, of: of[row]!, split: split[row]!, value: value[row]!, n: n[row]! }))
  })
  known.set(evidence, read)
  return read
}
/** Those of the split that is reported. */
const reported = (evidence: Evidence) => figuresOf(evidence).filter(({ split }) => split === evidence.report.split)

/**
 * Whether the figures of a node on test leave room for one answer to everything, which has a balanced accuracy of one class's share at most and
 * explains no variance: only then its predictions need to be read.
 */
const mayBeConstant = (evidence: Evidence) => {
  const byNode = Map.groupBy(figuresOf(evidence).filter(({ split }) => split === "test"), ({ node }) => node)
  return (node: Node): boolean =>
    [...Map.groupBy(byNode.get(node) ?? [], ({ task }) => task).values()].some((own) => {
      const values = (name: string) => own.flatMap(({ metric, value }) => metric === name ? [value] : [])
      const [balanced] = values("balanced_accuracy"), explained = values("r2"), classes = own.filter(({ metric, of }) => metric === "f1" && of !== "").length
      return balanced !== undefined ? balanced <= 1 / classes + 1e-9 : explained.every((r2) => r2 <= 1e-9)
    })
}

/** Predictions of the test samples tell them apart. */
export const predictionsVary = (evidence: Evidence): Outcome => {
  const tables = evidence.measured.filter((node) => gives(node, "predictions") !== undefined).length
  const found = inPredictions(evidence, ["sample_id", "split", "task", "truth", "predicted"], (predictions, { cells, stage }) => {
    const roles = text(predictions, "split"), task = text(predictions, "task"), predicted = numbers(predictions, "predicted")
    const first = new Map<string, { readonly row: number; n: number; differ: boolean }>()
    const same = (a: ArrayLike<number>, b: ArrayLike<number>) => {
      for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
      return true
    }
    for (let row = 0; row < predictions.rows; row++) {
      if (roles[row] !== "test") continue
      const known = first.get(task[row]!)
      if (known === undefined) {
        first.set(task[row]!, { row, n: 1, differ: false })
        continue
      }
      known.n++
      known.differ ||= !same(predicted[known.row]!, predicted[row]!)
    }
    return [...first].flatMap(([name, { differ, n, row }]): ReadonlyArray<Found> => {
      // one answer to everything is right where one thing is asked
      if (differ || numbers(predictions, "truth").every((truth, other) => task[other] !== name || roles[other] !== "test" || same(truth, numbers(predictions, "truth")[row]!))) return []
      const names = JSON.parse(predictions.metadata[name] ?? "[]") as ReadonlyArray<string>, value = predicted[row]!
      const answer = value.length === 1 ? names[value[0]!] ?? String(value[0]) : "the same values"
      return [{
        level: "warning",
        kind: `${stage} ${name}`,
        what: `"${stage}" predicts one thing for all ${n} test samples (${name}: ${answer}): it has learned nothing of the task`,
        count: n,
        examples: [`${name}: ${answer}`],
        cells
      }]
    })
  }, mayBeConstant(evidence))
  return tables === 0 ? { inapplicable: "no predictions" } : { looked: tables === 1 ? "1 table of predictions" : `${tables} tables of predictions`, found }
}

/** Every figure is defined: none is NaN. */
export const figuresDefined = (evidence: Evidence): Outcome => {
  const figures = reported(evidence)
  if (figures.length === 0) return { inapplicable: `nothing is measured on ${evidence.report.split} yet` }
  const found = [...Map.groupBy(figures.filter(({ value }) => Number.isNaN(value)), ({ metric, node, task }) => `${node.stage} ${task}.${metric}`)].map(([kind, own]): Found => {
    const classes = [...new Set(own.map(({ of }) => of).filter((of) => of !== ""))], { metric, n, node: { stage }, task } = own[0]!
    return {
      level: "warning",
      kind,
      what: `${task}.${metric} of "${stage}" is undefined in ${own.length} of ${figures.filter((figure) => figure.task === task && figure.metric === metric && figure.node.stage === stage).length} figures of ${evidence.report.split}: averages leave them out or are undefined themselves`,
      count: own.length,
      examples: classes.length > 0 ? classes.map((of) => `class ${of}`) : [`of ${n} samples`],
      cells: own.flatMap(({ node }) => evidence.cellsOf(node))
    }
  })
  return { looked: `${figures.length} figures of ${evidence.report.split}`, found }
}

/** Tables show three digits; with fewer samples than this a single one moves the second. */
const fewest = 100

/** There are samples enough for the digits that tables show. */
export const digitsMeant = (evidence: Evidence): Outcome => {
  const figures = reported(evidence).filter(({ of }) => of === "")
  if (figures.length === 0) return { inapplicable: `nothing is measured on ${evidence.report.split} yet` }
  const least = figures.reduce((a, b) => b.n < a.n ? b : a)
  const found = [...Map.groupBy(figures.filter(({ n }) => n < fewest), ({ node, task }) => `${node.stage} ${task}`)].map(([kind, own]): Found => {
    const { n, node: { stage }, task } = own.reduce((a, b) => b.n < a.n ? b : a)
    return {
      level: "note",
      kind,
      what: `the figures of "${stage}" for ${task} are of as few as ${n} samples: one of them is ${n === 0 ? "all there is" : (1 / n).toFixed(n < 10 ? 1 : 2)} of an accuracy, and three digits are shown`,
      count: n,
      examples: [...new Set(own.map((figure) => figure.n))].toSorted((a, b) => a - b).map((few) => `${few} samples in ${own.find((figure) => figure.n === few)!.node.address}`),
      cells: own.flatMap(({ node }) => evidence.cellsOf(node))
    }
  })
  return { looked: `figures are of ${least.n} samples or more`, found }
}
