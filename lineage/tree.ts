/** A chain as a tree on the terminal: the numbers asked for at its top, what each came from below it; what was told already is not told again. */
import type { Document } from "../cache/canonical.ts"
import { counted, style } from "../report/terminal.ts"
import type { Defaults } from "./defaults.ts"
import { closureOf, mapping, type Result, type Told } from "./node.ts"
import type { Chain } from "./trace.ts"

/** A value as YAML writes it on one line. */
export const flow = (value: Document | undefined): string => {
  if (value === undefined) return "absent"
  if (typeof value !== "object" || value === null) return typeof value === "string" ? value : JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(flow).join(", ")}]`
  const { file, ...others } = value as Readonly<Record<string, Document | undefined>>
  if (typeof file === "string" && Object.keys(others).length === 0) return `file ${short(file)}`
  const parts = Object.entries(value).map(([name, inner]) => `${name}: ${flow(inner)}`)
  return parts.length === 0 ? "{}" : `{ ${parts.join(", ")} }`
}
export const short = (digest: string): string => digest.slice(0, 12)
export const when = (utc: string): string => utc.slice(0, 19).replace("T", " ")
const distinct = <A>(values: Iterable<A>): Array<A> => [...new Set(values)]

/** The different ones of some texts, the first few of them. */
const alternatives = (texts: ReadonlyArray<string>): string => {
  const different = distinct(texts)
  return different.length > 6 ? `${different.slice(0, 5).join(" | ")} | ... ${different.length} in all` : different.join(" | ")
}

export interface StepText {
  /** The values of axes that tell its cells from others. */
  readonly cells: string
  /** What is known of the nodes of the step; of many only some were read. */
  readonly told: ReadonlyArray<Told>
  readonly defaults: Defaults
}
export interface TreeOptions {
  readonly steps: ReadonlyArray<StepText>
  /** All parameters, the columns read, the packages, what stages said. */
  readonly full: boolean
  /** The command that makes results. */
  readonly remedy: string
  readonly seconds: (seconds: number) => string
  /** What became of a blob or a record that is not there, to be said after its name. */
  readonly loss: (digest: string) => string
}

const parameters = (results: ReadonlyArray<Result>, defaults: Defaults, full: boolean): Array<string> =>
  distinct(results.flatMap((result) => Object.keys(result.with))).flatMap((name) => {
    const values = results.map((result) => flow(result.with[name]))
    return !full && name in defaults && values.every((value) => value === flow(defaults[name])) ? [] : [`${name}: ${alternatives(values)}`]
  })

const outputs = (results: ReadonlyArray<Result>): Array<string> =>
  distinct(results.flatMap(({ gave }) => Object.keys(gave))).map((name) => {
    const given = results.flatMap(({ gave }) => gave[name] === undefined ? [] : [gave[name]])
    const blobs = distinct(given.map(({ blob }) => short(blob)))
    return `${name} ${alternatives(given.map(({ rows }) => counted(rows, "row")))} ${blobs.length > 1 ? `(${blobs.length} different)` : blobs[0] ?? ""}`
  })

const roles = ["train", "val", "test", "unused", ""]
const fitted = (results: ReadonlyArray<Result>): Array<string> =>
  distinct(results.flatMap(({ handed }) => handed === null ? [] : [
    `on ${handed.by === "all" ? "all " : ""}${roles.flatMap((role) => handed.roles[role] === undefined ? [] : [`${handed.roles[role]} ${role}`.trim()]).join(", ")} samples`
  ]))

const makerOf = (results: ReadonlyArray<Result>): string => {
  const runs = distinct(results.flatMap((result) => result.runs)), hosts = distinct(results.map(({ host }) => host))
  return `by ${runs.length === 0 ? "a run that is not on record" : `run ${alternatives(runs)}`} on ${hosts.join(", ")}`
}
const madeAt = (results: ReadonlyArray<Result>, seconds: TreeOptions["seconds"]): string => {
  const starts = results.map(({ started }) => when(started)).toSorted(), first = starts[0]!, last = starts.at(-1)!
  const span = first === last ? first : first.slice(0, 10) === last.slice(0, 10) ? `${first} to ${last.slice(11)}` : `${first} to ${last}`
  const took = results.reduce((sum, result) => sum + result.seconds, 0)
  return `${span} UTC, ${seconds(took)}${results.length > 1 ? " in all" : ""}`
}

/** The columns that a result took in with another content than their source has now: one key can have had two results. */
const othersTaken = ({ took }: Result, resultOf: ReadonlyMap<number, Result>): Array<string> =>
  took.flatMap(({ columns, node, output, port }) => {
    const given = resultOf.get(node)?.gave[output]?.columns
    return given === undefined ? [] : Object.entries(columns).flatMap(([name, digest]) => given[name] === digest ? [] : [`${port}.${name} was ${short(digest)}`])
  })

/** The lines that tell of a step. */
const details = ({ defaults, told }: StepText, nodes: number, { full, loss, remedy, seconds }: TreeOptions, makers: boolean, resultOf: ReadonlyMap<number, Result>): Array<string> => {
  const results = told.flatMap(({ result }) => result === null ? [] : [result])
  const undone = told.filter(({ key }) => key === null).length, gone = told.flatMap(({ key, result }) => key !== null && result === null ? [key] : [])
  const lost = Map.groupBy(results.flatMap(({ gave }) => Object.entries(gave).flatMap(([name, given]) => given.lost ? [{ name, what: loss(given.blob) }] : [])), ({ name, what }) => `${name}\n${what}`)
  const lines: Array<readonly [string, string]> = []
  const add = (name: string, text: string) => lines.push([name, text])
  const versions = distinct(results.flatMap((result) => closureOf(result.code).length === 0 ? [] : [closureOf(result.code).map(short).join(" ")]))
  const engines = distinct(results.flatMap(({ backend }) => backend === null ? [] : [backend]))
  const given = parameters(results, defaults, full)
  if (given.length > 0) add("with", given.join(", "))
  if (versions.length > 0) add("code", `${versions.join(" | ")}${engines.length > 0 ? `, engine ${engines.join(" | ")}` : ""}`)
  if (full) {
    add("key", alternatives(told.map(({ key }) => key === null ? "none" : told.length > 1 ? short(key) : key)))
    const packages = distinct(results.flatMap(({ code }) => Object.entries(mapping(mapping(code)["packages"])).map(([name, version]) => `${name} ${flow(version)}`)))
    if (packages.length > 0) add("on", packages.join(", "))
    for (const port of distinct(results.flatMap(({ took }) => took.map((each) => each.port)))) {
      const columns = new Map<string, Array<string>>()
      for (const { took } of results) for (const each of took) if (each.port === port) for (const [name, digest] of Object.entries(each.columns)) columns.set(name, [...columns.get(name) ?? [], short(digest)])
      add("read", `${port}: ${Array.from(columns, ([name, digests]) => `${name} ${alternatives(digests)}`).join(", ")}`)
    }
  }
  for (const text of fitted(results)) add("fitted", text)
  for (const [path, digest] of distinct(results).flatMap(({ files }) => Object.entries(files)).slice(0, full ? Infinity : 3)) add("file", `${path} ${digest.startsWith("folder") ? short(digest.slice(7)) : digest === "absent" ? digest : short(digest)}`)
  const files = results.reduce((sum, result) => sum + Object.keys(result.files).length, 0)
  if (!full && files > 3) add("", `... ${counted(files - 3, "file")} more`)
  if (results.length > 0) add("gave", outputs(results).join(", "))
  if (results.length > 0) add("made", `${madeAt(results, seconds)}${makers ? `, ${makerOf(results)}` : ""}`)
  const others = results.map((result) => othersTaken(result, resultOf)), changed = distinct(others.flat())
  if (results.some(({ started, took }, i) => others[i]!.length === 0 && took.some(({ node }) => (resultOf.get(node)?.started ?? "") > started))) add("", "kept since: an input was made again later and came out the same")
  if (changed.length > 0) add(style("red", "input"), `${alternatives(changed)}: what is told of it below was made later and came out otherwise`)
  const otherwise = distinct(results.flatMap(({ earlier }) => earlier.map(when)))
  if (otherwise.length > 0) add(style("red", "again"), `came out otherwise before under the same key (${alternatives(otherwise)} UTC): the last is told`)
  if (full) for (const text of distinct(results.flatMap(({ notices }) => notices))) add("said", text)
  const of = (n: number) => told.length > 1 ? ` of ${n} of ${told.length}` : ""
  for (const same of lost.values()) add(style("red", "lost"), `${same[0]!.name}${of(same.length)} ${same[0]!.what}; ${remedy} makes it again where it is needed`)
  for (const [what, keys] of Map.groupBy(gone, loss)) add(style("red", "lost"), `the record${of(keys.length)} (key ${alternatives(keys.map(short))}) ${what}; ${remedy} makes it again`)
  if (undone > 0) add(style("yellow", "none"), `no result yet${of(undone)}; ${remedy} makes it`)
  if (told.length < nodes) add("", style("dim", `(read of ${told.length} of ${nodes.toLocaleString("en")}; pick cells with axis=value to see all)`))
  const plainWidth = 6
  return lines.map(([name, text]) => `${style("dim", name)}${" ".repeat(Math.max(1, plainWidth + 1 - bare(name).length))}${text}`)
}
// oxlint-disable-next-line no-control-regex
const bare = (text: string) => text.replaceAll(/\u001b\[\d+m/g, "")

/** The lines of a tree. */
export const treeText = (chain: Chain, options: TreeOptions): string => {
  const lines: Array<string> = [], shown = new Set<number>()
  const resultOf = new Map(options.steps.flatMap(({ told }) => told.flatMap(({ node, result }) => result === null ? [] : [[node, result] as const])))
  const makers = distinct(options.steps.flatMap(({ told }) => told.flatMap(({ result }) => result === null ? [] : [makerOf([result])])))
  const show = (place: number, output: string | undefined, port: string | undefined, prefix: string, connector: string): void => {
    const { nodes, stage, up, uses } = chain.steps[place]!, step = options.steps[place]!
    const times = nodes.length > 1 ? ` x${nodes.length}` : ""
    const source = `${style("bold", `${stage}${output === undefined || output === stage ? "" : `.${output}`}`)}${step.cells === "" ? "" : ` ${step.cells}`}`
    const name = port === undefined || port === stage && output === stage ? source : `${port} ← ${source}`
    const again = shown.has(place)
    lines.push(`${prefix}${connector}${name}  ${style("cyan", uses)}${times}${again ? style("dim", "  (above)") : ""}`)
    if (again) return
    shown.add(place)
    const below = connector === "" ? prefix : `${prefix}${connector === "└─ " ? "   " : "│  "}`
    for (const line of details(step, nodes.length, options, makers.length > 1, resultOf)) lines.push(`${below}${up.length > 0 ? "│  " : "   "}${line}`)
    up.forEach(({ output, port, step }, i) => show(step, output, port, below, i === up.length - 1 ? "└─ " : "├─ "))
  }
  for (const end of chain.ends) show(end, undefined, undefined, "", "")
  if (makers.length === 1) lines.push("", `all made ${makers[0]!}`)
  return lines.join("\n")
}
