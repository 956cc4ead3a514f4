import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type Asset, Samples, Stage, stream } from "outcrop"
import { species } from "../../imagery/scene-animal.ts"
import { drawDates, drawPlace, renderScene } from "../../imagery/scene.ts"

/**
 * How many dates each place is visited on: two to four, the last place with what is left (up to five). Places before it do not depend
 * on `samples`, so a larger collection begins with the smaller one.
 */
const visitsOf = (samples: number, seed: number): ReadonlyArray<number> => {
  const visits: Array<number> = []
  for (let left = samples; left > 0;) {
    const drawn = 2 + stream(seed, "visits", visits.length).integer(3)
    const taken = left - drawn < 2 ? left : drawn
    visits.push(taken)
    left -= taken
  }
  return visits
}

const encode = async (pixels: Uint8Array, size: number): Promise<Uint8Array> => {
  const sharp = (await import("sharp")).default
  return await sharp(pixels, { raw: { width: size, height: size, channels: 3 } }).png({ compressionLevel: 6 }).toBuffer()
}

/**
 * The embedded data: procedural aerial pictures of single animals, PNGs kept in the cache (`imagery/scene.ts`).
 *
 * `label` is the species (cow, deer, horse, in turn, so that they are even), `box` the animal, `labels` the land covers of the
 * background, `location` the place, with its coordinates and two or more dates, and `gsd` the metres a pixel. Made in the spirit of
 * TG-MATL's AWIR crops (240 of 3 species, one box each), but drawn: results on it say which method works, nothing about wildlife.
 */
export default Stage.make({
  name: "ingest/synthetic",
  version: 1,
  summary: "procedural aerial pictures of cow, deer and horse over land covers, with boxes, places and dates",
  with: Schema.Struct({
    samples: Stage.withDefault(Schema.Int.check(Schema.isBetween({ minimum: 2, maximum: 1_000_000 })).annotate({ description: "how many pictures" }), 240),
    size: Stage.withDefault(
      Schema.Int.check(Schema.isBetween({ minimum: 16, maximum: 1024 })).annotate({ description: "width and height of a picture in px; more shows the same ground in more detail" }),
      64
    ),
    clutter: Stage.withDefault(
      Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })).annotate({ description: "contrast of the ground, 0 (plain) to 1: what the animal has to be told from" }),
      0.5
    ),
    seed: Stage.Seed
  }),
  needs: {},
  gives: { samples: Samples },
  run: Effect.fn("ingest/synthetic")(function*(_, { samples, size, clutter, seed }) {
    const files = yield* Stage.Files
    const report = yield* Stage.Report
    const visits = visitsOf(samples, seed).flatMap((count, number) => {
      const place = drawPlace(stream(seed, "place", number))
      return drawDates(stream(seed, "dates", number), count).map((time, visit) => ({ place, number, time, visit }))
    })
    const rows = yield* Effect.forEach(visits, Effect.fnUntraced(function*({ place, number, time, visit }, row) {
      const label = species[row % species.length]!
      const scene = renderScene(place, time, label, size, clutter, stream(seed, "visit", number, visit))
      const { path, digest } = yield* files.keep(yield* Effect.promise(() => encode(scene.pixels, size)))
      if (row % 64 === 0) yield* report.progress(row, samples)
      const asset: Asset = { band: "image", path, digest, index: -1, gsd: scene.gsd }
      return { place, location: `place-${String(number).padStart(5, "0")}`, time, label, scene, asset }
    }), { concurrency: 8 })
    return {
      samples: {
        sample_id: rows.map((_, i) => `scene-${String(i).padStart(6, "0")}`),
        assets: rows.map(({ asset }) => [asset]),
        window: { width: 4, values: Float32Array.from(rows.flatMap(() => [0, 0, size, size])) },
        label: rows.map(({ label }) => label),
        labels: rows.map(({ scene }) => scene.covers),
        box: { width: 4, values: Float32Array.from(rows.flatMap(({ scene }) => scene.box)) },
        lat: Float64Array.from(rows, ({ place }) => place.lat),
        lon: Float64Array.from(rows, ({ place }) => place.lon),
        time: Float64Array.from(rows, ({ time }) => time),
        location: rows.map(({ location }) => location)
      }
    }
  })
})
