/** A report in the formats of papers (Markdown, LaTeX), and as one row a figure for programs (CSV, JSON, Parquet). */
import { level } from "./compare.ts"
import { nameOf } from "./layout.ts"
import type { Report } from "./report.ts"
import type { Result } from "./result.ts"
import { type Field, oneLine, type Sheet } from "./sheet.ts"

export const formats = ["md", "csv", "latex", "json", "parquet"] as const
export type Format = (typeof formats)[number]

// ---- for papers -----------------------------------------------------------------------------------------------------------------

const sign = { best: "*", shared: "=" }

const markdownSheet = ({ columns, notes, rows, title }: Sheet): string => {
  const escape = (text: string) => oneLine(text).replaceAll(/[|\\*_`<]|\](?=[([])/g, (character) => `\\${character}`)
  const field = ({ mark, text }: Field) => mark === undefined ? escape(text) : `${mark === "best" ? `**${escape(text)}**` : escape(text)} ${escape(sign[mark])}`
  const line = (cells: ReadonlyArray<string>) => `| ${cells.join(" | ")} |`
  return [
    ...(title === undefined ? [] : [escape(title), ""]),
    line(columns.map(({ name, over }) => escape(over === undefined ? name : `${over} ${name}`))),
    line(columns.map(({ number }) => number === true ? "---:" : "---")),
    ...rows.map((row) => line(row.map(field))),
    ...notes.flatMap((note) => ["", escape(note)])
  ].join("\n")
}

const latexOf: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "±": "$\\pm$", "–": "--", "<": "$<$", ">": "$>$", "=": "$=$", "*": "$\\ast$", "[": "{[}", "]": "{]}", "|": "$|$"
}
const tex = (text: string) => oneLine(text).replaceAll(/[\\~^±–<>=*|[\]&%$#_{}]/gu, (character) => latexOf[character] ?? `\\${character}`)

/** For the packages booktabs and, where the table is wide, graphicx. */
const latexSheet = ({ columns, notes, rows, title }: Sheet): string => {
  const field = ({ mark, text }: Field) => mark === undefined ? tex(text) : `${mark === "best" ? `\\textbf{${tex(text)}}` : tex(text)}$^{${mark === "best" ? "\\ast" : "="}}$`
  const line = (cells: ReadonlyArray<string>) => `${cells.join(" & ")} \\\\`
  const heads: Array<string> = [], rules: Array<string> = []
  for (let from = 0, to = 0; from < columns.length; from = to) {
    const { over } = columns[from]!
    do to++
    while (over !== undefined && columns[to]?.over === over)
    heads.push(over === undefined ? "" : `\\multicolumn{${to - from}}{c}{${tex(over)}}`)
    if (over !== undefined) rules.push(`\\cmidrule(lr){${from + 1}-${to}}`)
  }
  return [
    "\\begin{table}",
    "\\centering",
    `\\begin{tabular}{${columns.map(({ number }) => number === true ? "r" : "l").join("")}}`,
    "\\toprule",
    ...(rules.length === 0 ? [] : [line(heads), rules.join(" ")]),
    line(columns.map(({ name }) => tex(name))),
    "\\midrule",
    ...rows.map((row) => line(row.map(field))),
    "\\bottomrule",
    "\\end{tabular}",
    `\\caption{${[...(title === undefined ? [] : [title]), ...notes].map((text) => `${tex(text)}.`).join(" ")}}`,
    "\\end{table}"
  ].join("\n")
}

// ---- for programs ---------------------------------------------------------------------------------------------------------------

type Value = string | number | null
const finite = (value: number | undefined) => value === undefined || !Number.isFinite(value) ? null : value

/** What is known of a figure beside the result itself. */
const extras = (report: Report, result: Result) => {
  const row = report.against?.rows.find((row) => row.result === result), { adjusted, comparison, reference } = row ?? {}
  return {
    mark: report.marks.get(result),
    sampled: report.sampled?.interval(result),
    against: comparison === undefined ? undefined : {
      axes: reference?.axes ?? {},
      difference: comparison.difference,
      low: comparison.low,
      high: comparison.high,
      sampled: report.sampled?.interval(result, reference),
      n: comparison.n,
      test: Number.isNaN(comparison.p) ? null : "correlation" in comparison.design ? "corrected resampled t" : comparison.design.kind === "blocks" ? "signed ranks" : "sign-flip",
      replicates: comparison.design,
      p: comparison.p,
      p_holm: adjusted!,
      significant: adjusted! < level,
      effect: comparison.effect,
      effect_is: comparison.design.kind === "blocks" ? "rank-biserial" : "dz"
    }
  }
}

/** One row a figure that is shown: axes, metric, mean and both kinds of spread, and the comparison with a reference where there is one. */
const records = (report: Report): ReadonlyArray<Readonly<Record<string, Value>>> => {
  const results = report.results.filter((result) => report.metrics.includes(nameOf(result)))
  const axes = [...new Set(results.flatMap((result) => Object.keys(result.axes)))], stages = new Set(results.map(({ stage }) => stage)).size > 1
  return results.map((result) => {
    const { against, mark, sampled } = extras(report, result), { ci, mean, metric, replicates, samples, sd, split, stage, task } = result
    const figures: Readonly<Record<string, Value>> = {
      ...(stages ? { stage } : {}),
      task,
      metric,
      measured_on: split,
      mean: finite(mean),
      sd: finite(sd),
      n: replicates,
      low: finite(ci.low),
      high: finite(ci.high),
      interval_over: ci.over,
      ...(report.sampled === undefined ? {} : { samples_low: finite(sampled?.low), samples_high: finite(sampled?.high) }),
      samples,
      ...(report.against === undefined ? { mark: mark ?? null } : {
        difference: finite(against?.difference),
        difference_low: finite(against?.low),
        difference_high: finite(against?.high),
        ...(report.sampled === undefined ? {} : { difference_samples_low: finite(against?.sampled?.low), difference_samples_high: finite(against?.sampled?.high) }),
        pairs: against?.n ?? null,
        test: against?.test ?? null,
        p: finite(against?.p),
        p_holm: finite(against?.p_holm),
        effect: finite(against?.effect),
        effect_is: against?.effect_is ?? null
      })
    }
    return { ...Object.fromEntries(axes.map((axis) => [axis in figures ? `axis_${axis}` : axis, result.axes[axis] ?? null])), ...figures }
  })
}

const csv = (rows: ReadonlyArray<Readonly<Record<string, Value>>>): string => {
  const cell = (value: Value | undefined) => {
    const text = String(value ?? "")
    return /[",\n\r]/.test(text) ? `"${text.replaceAll("\"", "\"\"")}"` : text
  }
  const names = Object.keys(rows[0] ?? {})
  return [names.map(cell), ...rows.map((row) => names.map((name) => cell(row[name])))].map((cells) => cells.join(",")).join("\n")
}

const parquet = async (rows: ReadonlyArray<Readonly<Record<string, Value>>>): Promise<Uint8Array> => {
  const { parquetWriteBuffer } = await import("hyparquet-writer")
  return new Uint8Array(parquetWriteBuffer({
    columnData: Object.keys(rows[0] ?? {}).map((name) => {
      const data = rows.map((row) => row[name] ?? null), whole = name === "n" || name === "samples" || name === "pairs"
      return { name, data, type: data.some((value) => typeof value === "string") ? "STRING" : whole ? "INT32" : "DOUBLE", nullable: true }
    })
  }))
}

/** The document that `--json` prints: every result, with its value in each replicate. */
export const document = (report: Report, chosen: (result: Result) => boolean): object => ({
  version: 1,
  rows: report.results.filter(chosen).map((result) => {
    const { blocks: _, each, members: __, stage: ___, ...row } = result, { against, mark, sampled } = extras(report, result)
    return { ...row, each: Object.fromEntries(each.map(({ name, value }) => [name, value])), mark, over_samples: sampled, against }
  }),
  notes: report.sheets.flatMap(({ notes }) => notes)
})

/** A report in a format, as text or as bytes. */
export const formatted = async (report: Report, format: Format, chosen: (result: Result) => boolean): Promise<string | Uint8Array> => {
  switch (format) {
    case "md":
      return `${report.sheets.map(markdownSheet).join("\n\n")}\n`
    case "latex":
      return `${report.sheets.map(latexSheet).join("\n\n")}\n`
    case "csv":
      return `${csv(records(report))}\n`
    case "json":
      return `${JSON.stringify(document(report, chosen))}\n`
    case "parquet":
      return await parquet(records(report))
  }
}
