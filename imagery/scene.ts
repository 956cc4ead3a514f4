/**
 * Procedural aerial scenes: a place with its land covers, visited on several dates, one animal in each picture. They stand in for a
 * wildlife survey where none can be shipped: small, deterministic, and hard in the ways real ones are (season, light, scale, pose,
 * shadow, camouflage, young animals). They say nothing about any real place.
 */
import type { Random } from "../math/random.ts"
import { type Animal, boundsOf, colourAt, distanceTo, drawAnimal, type Species } from "./scene-animal.ts"
import { type Colour, type Ground, type LandCover, mix, smoothstep, textures } from "./scene-land.ts"
import { fractalNoise } from "./scene-noise.ts"

/** A region of the world: where it lies, and what grows there (weights). */
interface Region {
  readonly lat: number
  readonly lon: number
  readonly covers: ReadonlyArray<readonly [LandCover, number]>
}

const regions: ReadonlyArray<Region> = [
  { lat: 62.1, lon: 16.4, covers: [["trees", 4], ["grass", 2], ["snow_and_ice", 2], ["water", 1], ["flooded_vegetation", 1]] },
  { lat: 48.6, lon: 2.3, covers: [["crops", 4], ["grass", 4], ["trees", 2], ["built", 2], ["water", 1]] },
  { lat: 39.2, lon: -121.6, covers: [["grass", 3], ["shrub_and_scrub", 3], ["bare", 2], ["crops", 2], ["built", 1]] },
  { lat: -23.4, lon: 133.9, covers: [["bare", 4], ["shrub_and_scrub", 4], ["grass", 2]] },
  { lat: -30.8, lon: -57.3, covers: [["grass", 4], ["flooded_vegetation", 3], ["trees", 2], ["crops", 2], ["water", 2]] }
]

/** A place: where it is, and which land covers lie there in which pattern. */
export interface Place {
  readonly lat: number
  readonly lon: number
  readonly covers: ReadonlyArray<{ readonly cover: LandCover; readonly seed: number; readonly bias: number }>
  readonly seed: number
  readonly heading: number
}

const weighted = <A>(random: Random, choices: ReadonlyArray<readonly [A, number]>): A | undefined => {
  let rest = random.uniform() * choices.reduce((sum, [, weight]) => sum + weight, 0)
  for (const [value, weight] of choices) {
    rest -= weight
    if (rest < 0) return value
  }
  return choices.at(-1)?.[0]
}

/** Draws a place: a region, coordinates within a degree of its centre, one to three land covers. */
export const drawPlace = (random: Random): Place => {
  const region = regions[random.integer(regions.length)]!
  const lat = region.lat + (random.uniform() - 0.5) * 2
  const lon = region.lon + (random.uniform() - 0.5) * 2
  let left = region.covers
  const covers: Array<Place["covers"][number]> = []
  for (let wanted = 1 + random.integer(3); wanted > 0; wanted--) {
    const cover = weighted(random, left)
    if (cover === undefined) break
    left = left.filter(([name]) => name !== cover)
    covers.push({ cover, seed: random.integer(1 << 30), bias: random.uniform() * 0.12 })
  }
  return { lat, lon, covers, seed: random.integer(1 << 30), heading: random.uniform() * Math.PI }
}

const day = 86_400_000
const year = 365.2425 * day
/** 2021-01-01T00:00:00Z */
const firstDay = 1_609_459_200_000

/** Dates on which a place is visited, UTC milliseconds, ascending and at least ten days apart, within three years. */
export const drawDates = (random: Random, count: number): ReadonlyArray<number> => {
  const slot = Math.floor(3 * 365 / count)
  return Array.from({ length: count }, (_, visit) => firstDay + (visit * slot + random.integer(Math.max(1, slot - 10))) * day + (8 + random.integer(8)) * day / 24)
}

/** How green it is at a latitude on a date: 1 at midsummer, 0 at midwinter, less of a swing near the equator. */
const greenness = (lat: number, time: number): number => {
  const summer = Math.cos(2 * Math.PI * ((time - firstDay) / year - 0.53)) * Math.sign(lat)
  return 0.5 + 0.5 * summer * Math.min(1, Math.abs(lat) / 45)
}

export interface Scene {
  /** RGB, row by row, `size` x `size`. */
  readonly pixels: Uint8Array
  /** [xmin, ymin, xmax, ymax] in px around the animal without its shadow; maxima are exclusive. */
  readonly box: readonly [number, number, number, number]
  /** Land covers on at least a twentieth of the picture, in name order. */
  readonly covers: ReadonlyArray<LandCover>
  /** Metres a pixel. */
  readonly gsd: number
}

/** What grows at a place on a date: snow lies in winter only. */
const coversIn = (place: Place, green: number): ReadonlyArray<LandCover> =>
  place.covers.map(({ cover }) => cover === "snow_and_ice" && green > 0.45 ? "grass" : cover)

/** Land cover of a place at a point, as an index of its covers: the one whose slow noise is strongest; edges of fields and yards run straight. */
const coverAt = (place: Place, x: number, y: number): number => {
  let best = -Infinity, found = 0
  for (let i = 0; i < place.covers.length; i++) {
    const { cover, seed, bias } = place.covers[i]!
    const straight = cover === "crops" || cover === "built"
    const strength = bias + (straight
      ? 0.5 + 0.06 * (x * Math.cos(place.heading) + y * Math.sin(place.heading))
      : fractalNoise(x / 5, y / 5, seed, 4))
    if (strength > best) {
      best = strength
      found = i
    }
  }
  return found
}

/** Metres of ground that a picture spans, least and most. */
const spans = [4.4, 6.5] as const
/** What a ground without any texture would look like. */
const earth: Colour = [132, 126, 100]
/** Rays to a side of a pixel, for antialiasing the animal. */
const rays = 3
/** Heights of the silhouettes that make up the shadow, as parts of the animal's own. */
const shadowSteps = [0.12, 0.24, 0.36, 0.48, 0.6, 0.72, 0.84, 0.96]

/**
 * Renders one visit to a place.
 * @param time UTC milliseconds: season and light follow from it
 * @param clutter contrast of the ground, 0 (plain) to 1: what the animal has to be told from
 */
export const renderScene = (place: Place, time: number, animalName: Species, size: number, clutter: number, random: Random): Scene => {
  const azimuth = random.uniform() * 2 * Math.PI
  const shadowLength = 0.2 + 0.45 * random.uniform()
  const sun: readonly [number, number] = [Math.cos(azimuth), Math.sin(azimuth)]
  const ground: Ground = { seed: place.seed, green: greenness(place.lat, time), sun, heading: place.heading }
  const seen = coversIn(place, ground.green)
  const animal = drawAnimal(animalName, random)
  const span = spans[0] * (spans[1] / spans[0]) ** random.uniform()
  const gsd = span / size
  const left = (random.uniform() - 0.5) * 1.5 - span / 2, top = (random.uniform() - 0.5) * 1.5 - span / 2

  const land = new Float32Array(size * size * 3)
  const cover = new Uint8Array(size * size)
  for (let py = 0; py < size; py++) {
    for (let px = 0; px < size; px++) {
      const x = left + (px + 0.5) * gsd, y = top + (py + 0.5) * gsd
      const index = coverAt(place, x, y)
      cover[py * size + px] = index
      land.set(mix(earth, textures[seen[index]!](x, y, ground), clutter), (py * size + px) * 3)
    }
  }

  const heading = random.uniform() * 2 * Math.PI
  const { centreX, centreY } = stand(seen, cover, size, boundsOf(animal, heading).map((metres) => metres / gsd), random)
  const blend = 0.25 * random.uniform(), shade = 0.3 + 0.25 * random.uniform()
  const box = paintAnimal(land, size, gsd, animal, { centreX, centreY, heading, sun, shadow: shadowLength * animal.height, blend, shade })

  return { pixels: develop(land, random), box, covers: namesOf(seen, cover), gsd }
}

/** Where the animal stands, px: with its bounds inside the picture, off water and buildings if a few tries find such a spot. */
const stand = (seen: ReadonlyArray<LandCover>, cover: Uint8Array, size: number, bounds: ReadonlyArray<number>, random: Random): { readonly centreX: number; readonly centreY: number } => {
  const [xmin = 0, ymin = 0, xmax = 0, ymax = 0] = bounds
  const draw = (least: number, most: number) => -least + random.uniform() * (size - most + least)
  const at = (x: number) => Math.min(size - 1, Math.max(0, Math.floor(x)))
  for (let attempt = 0; ; attempt++) {
    const centreX = draw(xmin, xmax), centreY = draw(ymin, ymax)
    const under = seen[cover[at(centreY) * size + at(centreX)]!]!
    if ((under !== "water" && under !== "built") || attempt === 12) return { centreX, centreY }
  }
}

interface Pose {
  readonly centreX: number
  readonly centreY: number
  readonly heading: number
  readonly sun: readonly [number, number]
  /** Length of the shadow, metres. */
  readonly shadow: number
  /** How far the coat takes the colour of the ground, 0..1. */
  readonly blend: number
  /** How dark the shadow is, 0..1. */
  readonly shade: number
}

/** Paints shadow and animal over the land; returns the box of the animal's pixels. */
const paintAnimal = (land: Float32Array, size: number, gsd: number, animal: Animal, pose: Pose): Scene["box"] => {
  const cos = Math.cos(pose.heading), sin = Math.sin(pose.heading)
  const toward: readonly [number, number] = [pose.sun[0] * cos + pose.sun[1] * sin, pose.sun[1] * cos - pose.sun[0] * sin]
  const [left, top, right, bottom] = boundsOf(animal, pose.heading)
  const x0 = Math.max(0, Math.floor(pose.centreX + (left - pose.shadow) / gsd)), x1 = Math.min(size, Math.ceil(pose.centreX + (right + pose.shadow) / gsd))
  const y0 = Math.max(0, Math.floor(pose.centreY + (top - pose.shadow) / gsd)), y1 = Math.min(size, Math.ceil(pose.centreY + (bottom + pose.shadow) / gsd))
  const mean = meanOf(land, size, x0, y0, x1, y1)
  let xmin = size, ymin = size, xmax = 0, ymax = 0, most = 0, mostX = 0, mostY = 0
  for (let py = y0; py < y1; py++) {
    for (let px = x0; px < x1; px++) {
      const x = (px + 0.5 - pose.centreX) * gsd, y = (py + 0.5 - pose.centreY) * gsd
      const u = x * cos + y * sin, v = y * cos - x * sin
      let near = Infinity
      for (const step of shadowSteps) near = Math.min(near, distanceTo(animal, u + toward[0] * pose.shadow * step, v + toward[1] * pose.shadow * step))
      const lit = 1 - pose.shade * smoothstep(gsd, -gsd, near)
      const at = (py * size + px) * 3
      for (let band = 0; band < 3; band++) land[at + band]! *= lit
      if (distanceTo(animal, u, v) > gsd) continue

      let hits = 0, red = 0, green = 0, blue = 0
      for (let ray = 0; ray < rays * rays; ray++) {
        const du = (((ray % rays) + 0.5) / rays - 0.5) * gsd, dv = ((Math.floor(ray / rays) + 0.5) / rays - 0.5) * gsd
        const colour = colourAt(animal, u + du, v + dv, toward)
        if (colour === undefined) continue
        hits++
        red += colour[0]
        green += colour[1]
        blue += colour[2]
      }
      if (hits === 0) continue
      const coverage = hits / (rays * rays)
      const coat = mix([red / hits, green / hits, blue / hits], mean, pose.blend)
      for (let band = 0; band < 3; band++) land[at + band] = land[at + band]! * (1 - coverage) + coat[band]! * coverage
      if (coverage > most) {
        most = coverage
        mostX = px
        mostY = py
      }
      if (coverage < 0.5) continue
      xmin = Math.min(xmin, px)
      ymin = Math.min(ymin, py)
      xmax = Math.max(xmax, px + 1)
      ymax = Math.max(ymax, py + 1)
    }
  }
  return xmax > 0 ? [xmin, ymin, xmax, ymax] : [mostX, mostY, mostX + 1, mostY + 1]
}

/** Mean colour of a rectangle. */
const meanOf = (land: Float32Array, size: number, x0: number, y0: number, x1: number, y1: number): Colour => {
  let red = 0, green = 0, blue = 0
  for (let py = y0; py < y1; py++) {
    for (let px = x0; px < x1; px++) {
      const at = (py * size + px) * 3
      red += land[at]!
      green += land[at + 1]!
      blue += land[at + 2]!
    }
  }
  const n = (x1 - x0) * (y1 - y0)
  return [red / n, green / n, blue / n]
}

/** What camera and air add: exposure, a colour cast, haze, and noise; then 8 bits. */
const develop = (land: Float32Array, random: Random): Uint8Array => {
  const exposure = 0.94 + 0.12 * random.uniform(), haze = 0.06 * random.uniform(), grain = 4 + 6 * random.uniform()
  const cast = [1 + 0.015 * random.normal(), 1, 1 + 0.015 * random.normal()]
  const pixels = new Uint8Array(land.length)
  for (let i = 0; i < land.length; i++) {
    const lit = land[i]! * exposure * cast[i % 3]!
    pixels[i] = Math.min(255, Math.max(0, Math.round(lit + (205 - lit) * haze + grain * (random.uniform() + random.uniform() - 1))))
  }
  return pixels
}

/** Names of the land covers on at least a twentieth of the picture. */
const namesOf = (seen: ReadonlyArray<LandCover>, cover: Uint8Array): ReadonlyArray<LandCover> => {
  const counts = new Map<LandCover, number>()
  for (const index of cover) counts.set(seen[index]!, (counts.get(seen[index]!) ?? 0) + 1)
  return [...counts].flatMap(([name, count]) => count >= 0.05 * cover.length ? [name] : []).toSorted()
}
