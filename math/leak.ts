/** How far a test set is known from training: neighbours leak, so that a random split inflates scores where samples lie close together. */
import { within } from "./proximity.ts"
import { unitVectors } from "./sphere.ts"

export interface Leak {
  /** Test samples. */
  readonly test: number
  /** Those within reach of a training sample; undefined: no test sample, or no training sample, has coordinates. */
  readonly near: number | undefined
  /** Those whose location a training sample has too; undefined: no test sample, or no training sample, has a location. */
  readonly same: number | undefined
}

/** Where samples lie: degrees (NaN: unknown) and the name of the place (null: unknown). */
export interface Placed {
  readonly lat: Float64Array
  readonly lon: Float64Array
  readonly location: ReadonlyArray<string | null>
}

/** Counts the test samples that lie within `metres` of a training sample, and those in the same place as one. Samples in neither part do not count. */
export const leakOf = ({ lat, location, lon }: Placed, split: ReadonlyArray<string>, metres: number): Leak => {
  const rowsOf = (part: string, known: (row: number) => boolean) => split.flatMap((of, row) => of === part && known(row) ? [row] : [])
  const test = split.filter((part) => part === "test").length

  const placed = (row: number) => Number.isFinite(lat[row]) && Number.isFinite(lon[row])
  const from = rowsOf("test", placed), to = rowsOf("train", placed)
  const reach = within(unitVectors(lat, lon), to, metres)
  const near = from.length === 0 || to.length === 0 ? undefined : from.filter((row) => reach(row, () => true)).length

  const named = (row: number) => location[row] !== null
  const tested = rowsOf("test", named), trained = new Set(rowsOf("train", named).map((row) => location[row]))
  const same = tested.length === 0 || trained.size === 0 ? undefined : tested.filter((row) => trained.has(location[row])).length
  return { test, near, same }
}

/** What a user should know of it, with what keeps places apart; undefined: nothing is known of where samples lie. */
export const leakNotice = ({ near, same, test }: Leak, reach: string): string | undefined => {
  if (near === undefined && same === undefined) return undefined
  const counts = [
    ...near === undefined ? [] : [`${near} of ${test} test samples lie within ${reach} of a training sample`],
    ...same === undefined ? [] : [near === undefined ? `${same} of ${test} test samples are in the same place as a training sample` : `${same} in the same place as one`]
  ].join(", ")
  if (!near && !same) return `no spatial leak: ${counts}`
  const apart = [...same ? ["`group: location`"] : [], ...near ? ["`group: h3`"] : []]
  return `spatial leak: ${counts}; ${apart.join(" or ")} keeps places apart`
}
