/** Annotated images cut into samples: a crop around each box, tiles of the scene, or each image whole. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Stage, stream } from "outcrop"
import type { Row } from "./collection.ts"
import { areaOf, type Box, boxIn, cropAround, type Refusal } from "./crop.ts"
import type { Source } from "./source.ts"
import { holdsCentre, tilesOf } from "./tiles.ts"
import type { Window } from "./window.ts"

/** A labelled box; `name` is unique in its image. */
export interface Thing {
  readonly name: string
  readonly label: string
  readonly box: Box
}
export interface AnnotatedImage {
  readonly name: string
  readonly from: string
  readonly source: Source
  readonly things: ReadonlyArray<Thing>
  readonly location: string
  readonly time: number
}

const Pixels = Schema.Int.check(Schema.isGreaterThan(0))
/** Parameters of the readers of annotated images. */
export const parameters = {
  crop: Schema.optionalKey(
    Pixels.annotate({ description: "side in px of a crop around each box, placed at random by the seed, dropped where another box reaches into it (TG-MATL: 300)" })
  ),
  tiles: Schema.optionalKey(
    Schema.Struct({
      size: Pixels.annotate({ description: "side of a tile in px" }),
      stride: Pixels.annotate({ description: "from one tile to the next, px" }),
      negative: Stage.withDefault(Schema.NonEmptyString.annotate({ description: "label of tiles in which no box has its centre" }), "background")
    }).annotate({ description: "tiles that lie inside the scene, labelled by the boxes whose centres they hold" })
  ),
  seed: Stage.Seed
}
export interface Cutting {
  readonly crop?: number
  readonly tiles?: { readonly size: number; readonly stride: number; readonly negative: string }
  readonly seed: number
}

/** The label of several things: that of most, the first in name order where several are most. */
const labelOf = (labels: ReadonlyArray<string>): string | undefined => {
  const counts = new Map<string, number>()
  for (const label of labels.toSorted()) counts.set(label, (counts.get(label) ?? 0) + 1)
  return [...counts].toSorted((a, b) => b[1] - a[1])[0]?.[0]
}

/** A window of an image with the things that belong to it. One thing gives the sample its box. */
const rowOf = ({ from, location, source, time }: AnnotatedImage, id: string, window: Window, things: ReadonlyArray<Thing>, negative?: string): Row => {
  const [x, y, width, height] = window
  const only = things.length === 1 ? boxIn(things[0]!.box, window) : undefined
  return {
    id,
    from,
    assets: source.assets,
    window,
    label: labelOf(things.map(({ label }) => label)) ?? negative,
    labels: [...new Set(things.map(({ label }) => label))].toSorted(),
    box: only !== undefined && areaOf(only) > 0 ? only : undefined,
    ...source.locate(x + width / 2, y + height / 2),
    time,
    location
  }
}

const padded = (px: number): string => String(px).padStart(5, "0")

/**
 * Samples of annotated images. A crop has the label and box of its own thing. A tile, or a whole image, has the label of most of the
 * things whose centres it holds (the first in name order where several are most), all their labels in `labels`, and a box where it
 * holds just one. Coordinates are those of the window's centre.
 */
export const cut = Effect.fn("cut")(function*(images: ReadonlyArray<AnnotatedImage>, { crop, seed, tiles }: Cutting) {
  if (crop !== undefined && tiles !== undefined) return yield* Effect.fail(new Stage.StageError({ message: "`crop` and `tiles` are two ways to cut an image; give one of them" }))
  if (tiles !== undefined) {
    const small = images.filter(({ source }) => source.width < tiles.size || source.height < tiles.size)
    if (small.length > 0) yield* Stage.notice(`images smaller than a tile of ${tiles.size} px, which give none: ${small.length} of ${images.length} (${small.map(({ name }) => name).join(", ")})`)
    return images.flatMap((image) =>
      tilesOf(image.source, tiles.size, tiles.stride).map((window) =>
        rowOf(image, `${image.name}/${padded(window[1])}-${padded(window[0])}`, window, image.things.filter(({ box }) => holdsCentre(window, box)), tiles.negative)
      )
    )
  }
  if (crop === undefined) {
    return images.map((image): Row => {
      const row = rowOf(image, image.name, [0, 0, image.source.width, image.source.height], image.things)
      // a box has its place in a window of known size; without one "the whole image" is left unsaid
      return row.box === undefined ? { ...row, window: undefined } : row
    })
  }

  const refused = new Map<Refusal, number>()
  const rows: Array<Row> = []
  for (const image of images) {
    const boxes = image.things.map(({ box }) => box)
    image.things.forEach((thing, i) => {
      const id = `${image.name}/${thing.name}`
      const placed = cropAround(image.source, boxes, i, crop, stream(seed, "crop", id))
      if (typeof placed === "string") refused.set(placed, (refused.get(placed) ?? 0) + 1)
      else rows.push(rowOf(image, id, placed, [thing]))
    })
  }
  const dropped = [...refused.values()].reduce((a, b) => a + b, 0)
  if (dropped > 0) {
    const reasons = [...refused].toSorted(([a], [b]) => a < b ? -1 : 1).map(([why, count]) => `${count} ${why}`)
    yield* Stage.notice(`boxes that gave no crop: ${dropped} of ${dropped + rows.length} (${reasons.join(", ")})`)
  }
  return rows
})
