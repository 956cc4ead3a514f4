/** Binds the ports of an implementation to outputs of the stages it needs: by name, or the one port whose table fits. */
import { type Mistake, type Path } from "../schemas/diagnostic.ts"
import { suggest } from "../schemas/spelling.ts"
import type { TableSchema } from "../schemas/table.ts"
import type { Binding, Grid } from "./expand.ts"
import type { Implementation } from "./library.ts"

/** What a stage of the YAML needs: the stages, each with the port and the output where they were named. */
export type Upstream = ReadonlyArray<readonly [port: string | undefined, stage: string, output: string | undefined]>

const aTable = ({ name }: TableSchema) => `${/^[aeiou]/.test(name) ? "an" : "a"} ${name} table`

/** Binds the ports that an implementation reads with these parameters; a mistake gives `undefined`. */
export const bind = (
  needs: Implementation["stage"]["needs"],
  parameters: unknown,
  upstream: Upstream,
  name: string,
  cell: number,
  nodeOf: Grid["nodeOf"],
  uses: string,
  mistakes: Array<Mistake>
): Array<Binding> | undefined => {
  const path: Path = ["stages", name, "needs"]
  const before = mistakes.length
  const read = Object.entries(needs).filter(([, port]) => port.when(parameters as never))
  const outputs = (stage: string): Array<readonly [string, TableSchema]> => {
    const { implementation } = nodeOf(stage, cell)
    return Object.entries({ ...implementation.stage.gives, ...implementation.stage.learns })
  }
  const bindings = new Map<string, Binding>()
  for (const [port, stage, output] of upstream) {
    const available = outputs(stage)
    const at = port === undefined ? path : [...path, port]
    if (output !== undefined && !available.some(([given]) => given === output)) {
      mistakes.push({ path: at, message: `"${stage}" gives no "${output}"${suggest(output, available.map(([given]) => given))}; it gives ${available.map(([given]) => given).join(", ")}` })
      continue
    }
    const offered = output === undefined ? available : available.filter(([given]) => given === output)
    const fits = (wanted: TableSchema) => offered.filter(([, table]) => table.name === wanted.name || wanted.name === "any")
    if (port === undefined) {
      const candidates = read.filter(([, { table }]) => fits(table).length > 0)
      const [only] = candidates
      if (only === undefined) {
        if (read.length > 0) mistakes.push({ path, message: `${uses} needs ${read.map(([wanted, { table }]) => `${wanted} (${aTable(table)})`).join(", ")}, but "${stage}" gives ${available.map(([given, table]) => `${given} (${table.name})`).join(", ")}` })
        continue
      }
      if (candidates.length > 1) {
        mistakes.push({ path, message: `"${stage}" fits more than one port of ${uses}: write needs: { ${candidates.map(([wanted]) => `${wanted}: ${stage}`).join(" } or { ")} }` })
        continue
      }
      bindings.set(only[0], { port: only[0], node: nodeOf(stage, cell).index, output: fits(only[1].table)[0]![0] })
      continue
    }
    const wanted = read.find(([candidate]) => candidate === port)
    if (wanted === undefined) continue
    const fitting = fits(wanted[1].table)
    const chosen = fitting.length === 1 ? fitting[0] : fitting.find(([given]) => given === port)
    if (chosen === undefined) {
      mistakes.push({
        path: at,
        message: fitting.length === 0 ?
          `the port "${port}" of ${uses} takes ${aTable(wanted[1].table)}, but "${stage}" gives ${available.map(([given, table]) => `${given} (${table.name})`).join(", ")}` :
          `"${stage}" gives several ${wanted[1].table.name} tables: write ${fitting.map(([given]) => `${stage}.${given}`).join(" or ")}`
      })
      continue
    }
    bindings.set(port, { port, node: nodeOf(stage, cell).index, output: chosen[0] })
  }
  if (mistakes.length > before) return undefined
  for (const [port, { needed, optional, table }] of read) {
    if (needed(parameters as never) && !bindings.has(port)) {
      mistakes.push({ path: ["stages", name], onKey: true, message: `${uses} needs the port "${port}" (${aTable(table)})${optional ? " with these parameters" : ""}: add it under needs` })
    }
  }
  return mistakes.length > before ? undefined : read.flatMap(([port]) => bindings.get(port) ?? [])
}
