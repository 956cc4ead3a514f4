/** Train, val and test apart: by sample, by place, and by time where the split claims it. */
import { dayOf, monthOf } from "../../math/calendar.ts"
import type { Evidence, Partition, Role } from "./evidence.ts"
import { gives } from "./evidence.ts"
import type { Found, Outcome } from "./finding.ts"

/** How many partitions a check looked at, in words. */
export const looked = (partitions: ReadonlyArray<Partition>): string => partitions.length === 1 ? "1 split" : `${partitions.length} splits`

/** Why a check of partitions has nothing to look at. */
export const noSplit = "no split is bound to what measures"

/** Samples on the other side from training that share a name with a training sample, by what they share. */
export const shared = (partition: Partition, side: Role, nameOf: (row: number) => string | null) => {
  const trained = new Map(partition.rows.train.flatMap((row) => nameOf(row) === null ? [] : [[nameOf(row)!, row] as const]))
  return partition.rows[side].flatMap((row) => {
    const name = nameOf(row), twin = name === null ? undefined : trained.get(name)
    return twin === undefined ? [] : [{ row, twin, name: name! }]
  })
}

/** Every prediction stands under the role that the split gives its sample. */
export const samplesApart = ({ cellsOf, finished, measured, outputOf, partitionOf, table }: Evidence): Outcome => {
  const found: Array<Found> = [], seen = new Map<string, Found | undefined>()
  for (const node of measured) {
    const output = gives(node, "predictions"), partition = partitionOf(node)
    if (output === undefined || partition === undefined) continue
    const at = { node: node.index, output }, { columns } = outputOf(at)!
    const id = `${columns["sample_id"]!.digest} ${columns["split"]!.digest} ${partition.id}`
    if (!seen.has(id)) {
      const predictions = table(at)
      if (predictions === undefined) continue
      const ids = predictions.columns.get("sample_id")!.column as ReadonlyArray<string>, roles = predictions.columns.get("split")!.column as ReadonlyArray<string>
      const wrong = [...new Set(ids.filter((sample, row) => partition.roleOf.get(sample) !== roles[row]))]
      const first = ids.findIndex((sample) => sample === wrong[0])
      seen.set(id, wrong.length === 0 ? undefined : {
        level: "failed",
        kind: "role",
        what: `predicted under another role than the split gives: ${wrong.length} of ${new Set(ids).size} samples (${wrong[0]} counts as ${roles[first]} and is ${partition.roleOf.get(wrong[0]!) ?? "in no part"})`,
        count: wrong.length,
        examples: wrong,
        cells: []
      })
    }
    const one = seen.get(id)
    if (one !== undefined) found.push({ ...one, cells: cellsOf(node) })
  }
  const partitions = new Set(measured.flatMap((node) => partitionOf(node) ?? []))
  if (partitions.size === 0) return { inapplicable: measured.length === 0 ? "nothing is measured yet" : noSplit }
  return { looked: `${looked([...partitions])}, predictions of ${measured.length} of ${finished.grid.nodes.length} nodes`, found }
}

/** No place on both sides. A split that keeps places whole and does not has failed; one that never claimed it earns a warning. */
export const placesApart = async ({ partitions }: Evidence): Promise<Outcome> => {
  if (partitions.length === 0) return { inapplicable: noSplit }
  const { latLngToCell } = partitions.some(({ asked }) => asked["group"] === "h3") ? await import("h3-js") : { latLngToCell: undefined }
  let named = 0
  const found = partitions.flatMap((partition): ReadonlyArray<Found> => {
    const { asked, cells, divider, rows, samples } = partition
    const byName = (row: number) => samples.location[row]!
    if (rows.test.some((row) => byName(row) !== null)) named++
    const byCell = latLngToCell === undefined || asked["group"] !== "h3" ? undefined : (row: number) =>
      Number.isFinite(samples.lat[row]) && Number.isFinite(samples.lon[row]) ? latLngToCell(samples.lat[row]!, samples.lon[row]!, Number(asked["resolution"])) : null
    const sides: ReadonlyArray<Role> = ["test", "val"]
    return sides.flatMap((side) => [{ of: "place", nameOf: byName, claim: asked["group"] === "location" }, ...byCell === undefined ? [] : [{ of: "H3 cell", nameOf: byCell, claim: true }]].flatMap(({ claim, nameOf, of }): ReadonlyArray<Found> => {
      const both = shared(partition, side, nameOf)
      // what validation shares with training flatters a choice, not a figure: told only where the split claims otherwise
      if (both.length === 0 || (side === "val" && !claim)) return []
      const count = `${both.length} of ${rows[side].length} ${side} samples are in the same ${of} as a training sample`
      return [{
        level: claim ? "failed" : "warning",
        kind: `${side} ${of}`,
        what: claim ? `${count}, though "${divider.stage}" keeps each ${of} whole (group: ${String(asked["group"])})` : `${count}: what was learned of the place helps the test; \`group: location\` keeps places apart`,
        count: both.length,
        examples: both.map(({ name, row, twin }) => `${samples.sample_id[row]} and ${samples.sample_id[twin]} at ${name}`),
        cells
      }]
    }))
  })
  return named === 0 && latLngToCell === undefined ? { inapplicable: "no test sample has a location" } : { looked: looked(partitions), found }
}

type Times = { readonly from: string } | { readonly months: ReadonlyArray<number> }
const timesOf = (asked: unknown): Times | undefined => typeof asked === "object" && asked !== null && ("from" in asked || "months" in asked) ? asked as Times : undefined

/** Where the split claims a division by time, each side is on its own side of it. */
export const timesApart = ({ partitions }: Evidence): Outcome => {
  const claims = partitions.flatMap((partition) => (["test", "val"] as const).flatMap((side) => {
    const times = timesOf(partition.asked[side])
    return times === undefined ? [] : [{ partition, side, times }]
  }))
  if (claims.length === 0) return { inapplicable: "no split claims a division by time" }
  const found = claims.flatMap(({ partition: { cells, divider, rows, samples }, side, times }): ReadonlyArray<Found> => {
    const inside = (row: number) => "from" in times ? samples.time[row]! >= dayOf(times.from) : !Number.isNaN(samples.time[row]) && times.months.includes(monthOf(samples.time[row]!))
    const wrong = [...rows[side].filter((row) => !inside(row)), ...rows.train.filter((row) => Number.isNaN(samples.time[row]) || inside(row))]
    if (wrong.length === 0) return []
    const claim = "from" in times ? `from ${times.from} on` : `in the months ${times.months.join(", ")}`
    const day = (row: number) => Number.isNaN(samples.time[row]) ? "no time" : new Date(samples.time[row]!).toISOString().slice(0, 10)
    return [{
      level: "failed",
      kind: side,
      what: `on the wrong side of the time that "${divider.stage}" divides by (${side}: ${claim}): ${wrong.length} sample${wrong.length === 1 ? "" : "s"}`,
      count: wrong.length,
      examples: wrong.map((row) => `${samples.sample_id[row]} (${day(row)})`),
      cells
    }]
  })
  return { looked: looked([...new Set(claims.map(({ partition }) => partition))]), found }
}
