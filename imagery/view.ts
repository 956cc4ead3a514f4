/**
 * Views: a sample as it is, or cropped, flipped, with brightness and contrast changed, or masked. What a view draws is a function of its
 * name, its seed and the sample's content (which assets, which window), so it is the same in every run, row and chunk, for every encoder
 * and beside whatever other views. Steps are drawn from streams of their own and done in this order: crop, flip, jitter, mask.
 *
 * Values are as the file has them or `stretch` leaves them; an encoder's own mean and deviation come after.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Stage, stream, vectorAt } from "outcrop"
import type { Located, Pixels } from "./pixels.ts"
import { type Options, type Region, resize } from "./resize.ts"
import type { Size } from "./window.ts"

const Share = Schema.Finite.check(Schema.isGreaterThan(0), Schema.isLessThanOrEqualTo(1))

const Asked = Schema.Struct({
  name: Schema.NonEmptyString.annotate({ description: "name of the view; what it draws depends on it" }),
  crop: Schema.optionalKey(
    Schema.Tuple([Share, Share]).annotate({ description: "[least, greatest] share of the picture's area that is kept" })
      .check(Schema.makeFilter(([least, most]) => least <= most || `the least share ${least} is above the greatest ${most}`))
  ),
  flip: Stage.withDefault(Schema.Boolean.annotate({ description: "left and right change sides, half of the time" }), false),
  jitter: Stage.withDefault(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })).annotate({ description: "brightness and contrast times 1 - jitter to 1 + jitter" }), 0),
  mask: Schema.optionalKey(
    Schema.Struct({
      ratio: Schema.Finite.check(Schema.isGreaterThan(0), Schema.isLessThan(1)).annotate({ description: "share of the patches that are masked" }),
      patch: Schema.Int.check(Schema.isGreaterThan(0)).annotate({ description: "side of a patch in px of what the encoder sees" })
    })
  ),
  seed: Stage.Seed
})
type Asked = typeof Asked.Type

const changes = ({ crop, flip, jitter, mask }: Asked) => crop !== undefined || flip || jitter > 0 || mask !== undefined

const sound = (views: ReadonlyArray<Asked>) => {
  const names = views.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) < i)
  if (twice !== undefined) return `two views are called "${twice}"; each needs a name of its own`
  return views.every((view) => view.name !== "full" || !changes(view)) || "the view \"full\" is the sample as it is, which probes read: call one that changes it otherwise"
}
// the check of the length stands last: annotations belong to the last check, and those of a filter of one's own show nowhere
const Views = Schema.Array(Asked).check(Schema.makeFilter(sound), Schema.isMinLength(1)).annotate({
  description: "views to embed: { name: full }, { name: masked, mask: { ratio: 0.6, patch: 16 } }, { name: augmented, crop: [0.5, 1], flip: true, jitter: 0.2 }"
})

/** The parameter of a stage that embeds views of pictures. */
export const parameters = { views: Stage.withDefault(Views, [{ name: "full" }]) }

/** A view: its name, and what it does to a sample. */
export type View = Pick<Asked, "name"> & Partial<Asked>

/** The sample as it is. */
export const full: View = { name: "full" }

/** The views that the parameter asks for, as the contract of an embed stage has them: one that changes nothing is its name alone. */
export const viewsOf = ({ views }: { readonly views: ReadonlyArray<Asked> }): ReadonlyArray<View> => views.map((view) => changes(view) ? view : { name: view.name })

/** A step of a view on one sample: the stream that it draws from. */
const drawing = (view: View, step: "crop" | "flip" | "jitter" | "mask", samples: Located, row: number) => {
  const assets = samples.assets[row]!.flatMap(({ band, digest, index }) => [band, digest, index])
  return stream(view.seed ?? 0, "view", view.name, step, ...assets, ...vectorAt(samples.window, row))
}

/**
 * The part of `region` [left, top, right, bottom] that a view keeps: a share of its area drawn uniformly from `crop`, of the region's own
 * aspect, at a uniform place. Fractional, so the share is exact: resampling reaches over its edges as it does over a window's. The random
 * resized crop of torchvision draws the aspect from 3/4..4/3 too, and rounds; here a picture's two axes keep one scale, as ground has.
 */
export const cropped = (view: View, samples: Located, row: number, region: Region): Region => {
  if (view.crop === undefined) return region
  const [least, most] = view.crop, [left, top, right, bottom] = region
  const { uniform } = drawing(view, "crop", samples, row)
  const side = Math.sqrt(least + (most - least) * uniform())
  const width = (right - left) * side, height = (bottom - top) * side
  const x = left + (right - left - width) * uniform(), y = top + (bottom - top - height) * uniform()
  return [x, y, Math.min(right, x + width), Math.min(bottom, y + height)]
}

/**
 * Flips, jitters and masks an image in place, as a view of the sample asks: the image that the encoder sees, after cropping and resizing.
 * - flip: columns reversed, with probability 1/2;
 * - jitter s: every value times a brightness, then its distance from its band's mean times a contrast, both uniform in 1 - s..1 + s and the
 *   same for all bands; 8-bit values are clipped to 0..255. Torchvision takes the mean of the grey picture, which bands of several units lack;
 * - mask: of the n patches of `patch` px that cover the image (narrower at the right and lower edge where it does not divide by `patch`),
 *   floor(ratio n) drawn without replacement are set to their band's mean over the image. SoftCon masks one of its two branches; ratio,
 *   patch and what fills them here are ours.
 *
 * Fails with a `StageError` where a mask has too few patches to take one.
 */
export const change = Effect.fn("view.change")(function*(view: View, samples: Located, row: number, image: Pixels) {
  const { bands, bytes, height, values, width } = image, area = height * width
  if (view.flip === true && drawing(view, "flip", samples, row).uniform() < 0.5) {
    for (let from = 0; from < values.length; from += width) values.subarray(from, from + width).reverse()
  }
  if (view.jitter !== undefined && view.jitter > 0) {
    const { uniform } = drawing(view, "jitter", samples, row)
    const factor = () => 1 + view.jitter! * (2 * uniform() - 1)
    const brightness = factor(), contrast = factor()
    for (let from = 0; from < values.length; from += area) {
      const band = values.subarray(from, from + area), mean = brightness * meanOf(band)
      for (let i = 0; i < area; i++) {
        const value = mean + contrast * (brightness * band[i]! - mean)
        band[i] = bytes ? Math.min(255, Math.max(0, value)) : value
      }
    }
  }
  if (view.mask === undefined) return
  const { patch, ratio } = view.mask
  const across = Math.ceil(width / patch), patches = across * Math.ceil(height / patch)
  // 0.29 of 100 is 29, though their product in floating point is less
  const masked = Math.floor(ratio * patches + 1e-9)
  if (masked === 0) {
    return yield* new Stage.StageError({
      message: `the view "${view.name}" masks nothing of sample ${samples.sample_id[row]}: ${ratio} of ${patches} patch${patches === 1 ? "" : "es"} of ${patch} px (the input is ${width} x ${height} px) is less than one; give a smaller "patch" or a larger "ratio"`
    })
  }
  const chosen = drawing(view, "mask", samples, row).shuffle(Int32Array.from({ length: patches }, (_, i) => i)).subarray(0, masked)
  const means = Array.from({ length: bands }, (_, b) => meanOf(values.subarray(b * area, (b + 1) * area)))
  for (const at of chosen) {
    const left = at % across * patch, top = Math.floor(at / across) * patch
    for (const [b, mean] of means.entries()) {
      for (let y = top; y < Math.min(height, top + patch); y++) {
        const line = (b * height + y) * width
        values.fill(mean, line + left, line + Math.min(width, left + patch))
      }
    }
  }
})

/**
 * What the encoder sees of a sample in a view: the part that the view keeps of `region` (default: all of the picture), resized to `size`
 * and changed. May change the picture given. Fails as `change` does.
 */
export const seen = Effect.fnUntraced(function*(view: View, samples: Located, row: number, picture: Pixels, size: Size, { region, ...options }: Options) {
  const { height, width } = size
  const whole = region === undefined && view.crop === undefined && height === picture.height && width === picture.width
  const values = whole ? picture.values : resize(picture, size, { ...options, region: cropped(view, samples, row, region ?? [0, 0, picture.width, picture.height]) })
  yield* change(view, samples, row, { ...picture, height, width, values })
  return values
})

const meanOf = (band: Float32Array) => {
  let sum = 0
  for (let i = 0; i < band.length; i++) sum += band[i]!
  return sum / band.length
}
