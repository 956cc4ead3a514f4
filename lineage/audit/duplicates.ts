/** Pictures on both sides: the same pixels, or windows of one scene that overlap. */
import { type Vectors, vectorAt } from "../../schemas/column.ts"
import { looked, noSplit, shared } from "./disjoint.ts"
import type { Evidence, Partition, Role } from "./evidence.ts"
import type { Found, Outcome } from "./finding.ts"

type Samples = Partition["samples"]

const windowText = (window: Vectors, row: number): string => {
  const [x, y, width, height] = vectorAt(window, row)
  return Number.isNaN(x) ? "whole" : `${x} ${y} ${width} ${height}`
}

/** Each sample's pixels by name: which bytes, which bands of them, which window. */
export const contentsOf = ({ assets, window }: Pick<Samples, "assets" | "window">): ReadonlyArray<string> =>
  assets.map((files, row) => `${files.map(({ digest, index }) => `${digest} ${index}`).join(" ")} ${windowText(window, row)}`)

/** What a picture on both sides comes to: with test it spoils the figure, with val only what is chosen by it. */
const gravity = (side: Role) => side === "test" ? "failed" as const : "warning" as const

/** No picture on both sides: the same bytes, and of these the same window. */
export const imagesApart = ({ partitions }: Evidence): Outcome => {
  if (partitions.length === 0) return { inapplicable: noSplit }
  const known = new Map<Samples["assets"], ReadonlyArray<string>>()
  const found = partitions.flatMap((partition): ReadonlyArray<Found> => {
    const { cells, rows, samples } = partition
    const contents = known.get(samples.assets) ?? contentsOf(samples)
    known.set(samples.assets, contents)
    return (["test", "val"] as const).flatMap((side) => {
      const both = shared(partition, side, (row) => samples.assets[row]!.length === 0 ? null : contents[row]!)
      if (both.length === 0) return []
      return [{
        level: gravity(side),
        kind: side,
        what: `${both.length} of ${rows[side].length} ${side} samples are the very picture of a training sample, byte for byte`,
        count: both.length,
        examples: both.map(({ row, twin }) => `${samples.sample_id[row]} and ${samples.sample_id[twin]}`),
        cells
      }]
    })
  })
  return { looked: looked(partitions), found }
}

interface Overlap {
  readonly row: number
  readonly twin: number
  /** Share of the test window; NaN where the test sample is the whole scene, whose size is not known here. */
  readonly share: number
}

/**
 * For each row of `asked` the training window of the same scene that covers most of it, where one does; a sample without a window is all of its
 * scene. Windows that are equal are the same picture, told elsewhere.
 */
const overlaps = ({ assets, window }: Samples, asked: ReadonlyArray<number>, train: ReadonlyArray<number>): ReadonlyArray<Overlap> => {
  const isWhole = (row: number) => Number.isNaN(vectorAt(window, row)[0]), fileOf = (row: number) => assets[row]![0]?.digest
  const sceneOf = (row: number) => isWhole(row) ? undefined : fileOf(row)
  const scenes = new Map<string, { side: number; readonly rows: Array<number> }>(), whole = new Map<string | undefined, number>()
  for (const row of train) {
    const name = sceneOf(row)
    if (isWhole(row)) whole.set(fileOf(row), row)
    if (name === undefined) continue
    const scene = scenes.get(name) ?? { side: 1, rows: [] }
    scenes.set(name, scene)
    scene.rows.push(row)
  }
  // squares as wide as the widest window: what overlaps lies in the same or the next
  for (const row of [...train, ...asked]) {
    const scene = scenes.get(sceneOf(row) ?? "")
    if (scene !== undefined) scene.side = Math.max(scene.side, vectorAt(window, row)[2]!, vectorAt(window, row)[3]!)
  }
  const squares = new Map([...scenes].map(([name, { rows, side }]) =>
    [name, Map.groupBy(rows, (row) => `${Math.floor(vectorAt(window, row)[0]! / side)} ${Math.floor(vectorAt(window, row)[1]! / side)}`)]))
  return asked.flatMap((row) => {
    const file = fileOf(row), all = whole.get(file), scene = scenes.get(file ?? "")
    if (file === undefined || (all === undefined && scene === undefined)) return []
    if (isWhole(row)) return all !== undefined || scene === undefined ? [] : [{ row, twin: scene.rows[0]!, share: Number.NaN }]
    if (all !== undefined) return [{ row, twin: all, share: 1 }]
    if (scene === undefined) return []
    const [x, y, width, height] = vectorAt(window, row) as unknown as readonly [number, number, number, number]
    let best: Overlap | undefined
    for (const across of [-1, 0, 1]) {
      for (const down of [-1, 0, 1]) {
        for (const twin of squares.get(file)!.get(`${Math.floor(x / scene.side) + across} ${Math.floor(y / scene.side) + down}`) ?? []) {
          const [left, top, w, h] = vectorAt(window, twin) as unknown as readonly [number, number, number, number]
          const wide = Math.min(x + width, left + w) - Math.max(x, left), high = Math.min(y + height, top + h) - Math.max(y, top)
          if (wide <= 0 || high <= 0 || windowText(window, row) === windowText(window, twin)) continue
          const share = wide * high / (width * height)
          if (best === undefined || share > best.share) best = { row, twin, share }
        }
      }
    }
    return best === undefined ? [] : [best]
  })
}

/** Windows of one scene on both sides, told where no place is known that would tell it. */
const sameScene = (partition: Partition): ReadonlyArray<Found> => {
  const { cells, rows: { test }, samples: { assets, lat, location, sample_id, window } } = partition
  if (test.some((row) => Number.isFinite(lat[row]) || location[row] !== null)) return []
  const both = shared(partition, "test", (row) => Number.isNaN(vectorAt(window, row)[0]) ? null : assets[row]![0]?.digest ?? null)
  if (both.length === 0) return []
  return [{
    level: "warning",
    kind: "scene",
    what: `${both.length} of ${test.length} test samples are windows of a scene that training samples are of too, and nothing is known of where they lie: neighbours look alike, and the test flatters`,
    count: both.length,
    examples: both.map(({ row, twin }) => `${sample_id[row]} and ${sample_id[twin]}`),
    cells
  }]
}

/** No pixel on both sides: windows of one scene do not overlap. */
export const windowsApart = ({ partitions }: Pick<Evidence, "partitions">): Outcome => {
  if (partitions.length === 0) return { inapplicable: noSplit }
  const scenic = partitions.filter(({ samples: { assets, rows, window } }) => {
    // whether there is a window among the samples of each scene so far
    const scenes = new Map<string, boolean>()
    for (let row = 0; row < rows; row++) {
      const scene = assets[row]![0]?.digest, part = !Number.isNaN(vectorAt(window, row)[0])
      if (scene === undefined) continue
      const known = scenes.get(scene)
      if (known !== undefined && (known || part)) return true
      scenes.set(scene, part)
    }
    return false
  })
  if (scenic.length === 0) return { inapplicable: "no two samples are windows of one scene" }
  const found = scenic.flatMap((partition): ReadonlyArray<Found> =>
    (["test", "val"] as const).flatMap((side) => {
      const { cells, rows, samples } = partition
      const both = overlaps(samples, rows[side], rows.train)
      if (both.length === 0) return side === "test" ? sameScene(partition) : []
      const percent = (share: number) => `${Math.max(1, Math.round(share * 100))}%`, shares = both.flatMap(({ share }) => Number.isNaN(share) ? [] : [share])
      return [{
        level: gravity(side),
        kind: side,
        what: `${both.length} of ${rows[side].length} ${side} samples share pixels with a training sample: windows of one scene overlap${shares.length === 0 ? "" : `, by up to ${percent(Math.max(...shares))}`}`,
        count: both.length,
        examples: both.toSorted((a, b) => (b.share || 0) - (a.share || 0)).map(({ row, share, twin }) =>
          Number.isNaN(share) ? `${samples.sample_id[twin]} is a window of ${samples.sample_id[row]}` : `${samples.sample_id[row]}: ${percent(share)} of it in ${samples.sample_id[twin]}`),
        cells
      }]
    }))
  return { looked: looked(scenic), found }
}
