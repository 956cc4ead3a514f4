/**
 * Near-duplicates: pictures that look the same though their bytes differ (another encoding, a size, a little noise), told by dHash, 64 bits of
 * a picture's horizontal gradients (Krawetz 2013, "Kind of like that").
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { makeFiles } from "../../engine/files.ts"
import { type Pixels, pixelReader } from "../../imagery/pixels.ts"
import { resize } from "../../imagery/resize.ts"
import { Files } from "../../stages/stage.ts"
import { contentsOf } from "./duplicates.ts"
import { looked, noSplit } from "./disjoint.ts"
import type { Evidence, Partition } from "./evidence.ts"
import type { Found, Outcome } from "./finding.ts"

/** Gradients of a picture whose values all lie within this share of its greatest are noise, and say nothing. */
const flat = 0.01

/**
 * dHash of a picture: the mean of its bands, brought to 9 x 8 (bilinear, antialiased); a bit a pair of neighbours in a row, 1 where the right
 * one is brighter, row by row from the highest bit. As two halves of 32 bits; undefined: the picture has no structure to tell.
 */
export const differenceHash = ({ bands, height, values, width, ...rest }: Pixels): readonly [high: number, low: number] | undefined => {
  const area = height * width, grey = new Float32Array(area)
  for (let i = 0; i < values.length; i++) grey[i % area]! += values[i]! / bands
  const small = resize({ ...rest, bands: 1, height, width, values: grey }, { height: 8, width: 9 }, { filter: "bilinear" })
  const least = Math.min(...small), most = Math.max(...small)
  if (!(most - least > flat * Math.max(Math.abs(most), Math.abs(least)))) return undefined
  let high = 0, low = 0
  for (let i = 0; i < 64; i++) {
    const at = Math.floor(i / 8) * 9 + i % 8, bit = small[at + 1]! > small[at]! ? 1 : 0
    if (i < 32) high = high << 1 | bit
    else low = low << 1 | bit
  }
  return [high >>> 0, low >>> 0]
}

type Hash = readonly [high: number, low: number]
const ones = (word: number): number => {
  const pairs = word - (word >>> 1 & 0x55555555), fours = (pairs & 0x33333333) + (pairs >>> 2 & 0x33333333)
  return (fours + (fours >>> 4) & 0x0f0f0f0f) * 0x01010101 >>> 24
}
/** In how many bits two hashes differ. */
export const distance = (a: Hash, b: Hash): number => ones(a[0] ^ b[0]) + ones(a[1] ^ b[1])

/** Hashes of all samples of a collection, by row. */
const hashesOf = (samples: Partition["samples"], read: ReadonlyArray<number>) => Effect.gen(function*() {
  const hashes = new Map<number, Hash>()
  for (const alike of Map.groupBy(read, (row) => samples.assets[row]!.map(({ band }) => band).join("\0")).values()) {
    const reader = yield* pixelReader({ bands: samples.assets[alike[0]!]!.map(({ band }) => band), stretch: "none" })
    // scene by scene, so that each is decoded once
    for (const row of alike.toSorted((a, b) => samples.assets[a]![0]!.digest < samples.assets[b]![0]!.digest ? -1 : 1)) {
      const hash = differenceHash(yield* reader(samples, row))
      if (hash !== undefined) hashes.set(row, hash)
    }
  }
  return hashes
})

/** No picture on both sides that looks like one on the other: dHashes that differ in at most so many bits. Reads the pixels of every sample in a part. */
export const picturesApart = async ({ cache: { index, store }, finished: { grid: { dataRoot } }, partitions }: Evidence, bits: number | undefined): Promise<Outcome> => {
  if (bits === undefined) return { inapplicable: "it reads all pixels: ask for it by --near-duplicates 4 (bits of 64 that may differ)" }
  if (partitions.length === 0) return { inapplicable: noSplit }
  const files = Layer.succeed(Files, makeFiles({ dataRoot, store, index, ingest: false, allowed: {}, trace: {} }))
  const known = new Map<Partition["samples"]["assets"], ReadonlyMap<number, Hash>>(), found: Array<Found> = []
  for (const partition of partitions) {
    const { cells, rows, samples } = partition
    let hashes = known.get(samples.assets)
    if (hashes === undefined) {
      const read = samples.sample_id.flatMap((_, row) => samples.assets[row]!.length > 0 ? [row] : [])
      const hashed = await Effect.runPromise(Effect.result(Effect.provide(hashesOf(samples, read), files)))
      if (Result.isFailure(hashed)) return { inapplicable: hashed.failure.message }
      hashes = hashed.success
      known.set(samples.assets, hashes)
    }
    const contents = contentsOf(samples)
    const pairs = rows.test.flatMap((row) => {
      const own = hashes.get(row)
      const near = own === undefined ? [] : rows.train.flatMap((twin) => {
        const other = hashes.get(twin)
        const apart = other === undefined || contents[twin] === contents[row] ? Infinity : distance(own, other)
        return apart <= bits ? [{ row, twin, apart }] : []
      })
      return near.length === 0 ? [] : [near.reduce((a, b) => b.apart < a.apart ? b : a)]
    })
    if (pairs.length === 0) continue
    found.push({
      level: "warning",
      kind: "pictures",
      what: `${pairs.length} of ${rows.test.length} test samples look like a training sample (dHash within ${bits} of 64 bits): look at them`,
      count: pairs.length,
      examples: pairs.toSorted((a, b) => a.apart - b.apart).map(({ apart, row, twin }) => `${samples.sample_id[row]} and ${samples.sample_id[twin]} (${apart} bits)`),
      cells
    })
  }
  return { looked: `${looked(partitions)}, dHash within ${bits} of 64 bits`, found }
}
