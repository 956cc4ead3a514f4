/**
 * Land covers of procedural scenes, one small texture each, seen from straight above. Positions are metres on the ground.
 * The names are the nine classes of Dynamic World (Brown et al. 2022), the multi-labels of SoftCon's SSL4EO-S12-ML.
 */
import { fractalNoise, latticeHash, nearestCell, valueNoise } from "./scene-noise.ts"

export type Colour = readonly [red: number, green: number, blue: number]

/** What a land cover's look depends on besides the position. */
export interface Ground {
  /** Seed of the place: the same plants and stones stand there on every date. */
  readonly seed: number
  /** 0 winter or drought, 1 full growth. */
  readonly green: number
  /** Unit vector towards the sun. */
  readonly sun: readonly [x: number, y: number]
  /** Direction of rows, roads and slabs, radians. */
  readonly heading: number
}

export type Texture = (x: number, y: number, ground: Ground) => Colour

export const mix = (a: Colour, b: Colour, t: number): Colour => [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t]
export const scale = (colour: Colour, by: number): Colour => [colour[0] * by, colour[1] * by, colour[2] * by]
const clamp = (t: number): number => t < 0 ? 0 : t > 1 ? 1 : t
/** 0 below `from`, 1 above `to`, smooth between. */
export const smoothstep = (from: number, to: number, x: number): number => {
  const t = clamp((x - from) / (to - from))
  return t * t * (3 - 2 * t)
}
/** Position across and along the heading. */
const turned = (x: number, y: number, heading: number): readonly [across: number, along: number] => {
  const c = Math.cos(heading), s = Math.sin(heading)
  return [x * c + y * s, y * c - x * s]
}

const soil: Colour = [152, 122, 88]

const grass: Texture = (x, y, { seed, green }) => {
  const patches = fractalNoise(x / 1.6, y / 1.6, seed, 3)
  const tufts = valueNoise(x / 0.14, y / 0.14, seed + 11)
  const turf = mix([164, 148, 96], [88, 116, 56], clamp(green * 0.75 + (patches - 0.5) * 1.3))
  return scale(turf, 0.78 + 0.2 * patches + 0.26 * tufts)
}

/** A dome lit from the side: brighter where it faces the sun. */
const dome = (dx: number, dy: number, distance: number, radius: number, sun: readonly [number, number]): number =>
  1 - 0.35 * (distance / radius) ** 2 - 0.35 * (dx * sun[0] + dy * sun[1]) / radius

const trees: Texture = (x, y, { seed, green, sun }) => {
  const wobble = (valueNoise(x / 0.5, y / 0.5, seed + 5) - 0.5) * 0.5
  const crown = nearestCell(x / 2.6, y / 2.6, seed + 3)
  const radius = 0.5 + 0.25 * crown.random
  const leaves = valueNoise(x / 0.22, y / 0.22, seed + 7)
  if (crown.distance + wobble * 0.4 > radius) return scale(mix([70, 66, 44], [42, 54, 30], green), 0.6 + 0.5 * leaves)
  const leaf = mix([122, 104, 66], mix([54, 88, 40], [84, 112, 48], crown.random), 0.25 + 0.75 * green)
  return scale(leaf, dome(crown.dx, crown.dy, crown.distance, radius, sun) * (0.62 + 0.6 * leaves))
}

const shrubAndScrub: Texture = (x, y, { seed, green, sun }) => {
  const bush = nearestCell(x / 1.3, y / 1.3, seed + 21)
  const radius = 0.16 + 0.3 * bush.random
  const rough = (valueNoise(x / 0.2, y / 0.2, seed + 22) - 0.5) * 0.24
  const ground = scale(mix(soil, [138, 132, 86], green * 0.6), 0.8 + 0.4 * fractalNoise(x / 0.7, y / 0.7, seed + 23, 3))
  if (bush.distance + rough < radius) {
    return scale(mix([104, 92, 66], [82, 98, 54], green), dome(bush.dx, bush.dy, bush.distance, radius, sun) * (0.8 + rough))
  }
  const shade = nearestCell((x + sun[0] * 0.3) / 1.3, (y + sun[1] * 0.3) / 1.3, seed + 21)
  return shade.distance < 0.16 + 0.3 * shade.random ? scale(ground, 0.62) : ground
}

const crops: Texture = (x, y, { seed, green, heading }) => {
  const [across, along] = turned(x, y, heading)
  const phase = across / 0.72 + 0.12 * valueNoise(along / 1.5, across, seed + 31)
  const row = 0.5 + 0.5 * Math.cos(2 * Math.PI * phase)
  const plant = valueNoise(across / 0.12, along / 0.16, seed + 32)
  const cover = smoothstep(0.95 - green * 0.75, 1.15 - green * 0.6, row + (plant - 0.5) * 0.5)
  const furrow = scale(soil, 0.72 + 0.22 * row + 0.25 * fractalNoise(x / 0.4, y / 0.4, seed + 33, 2))
  return mix(furrow, scale(mix([168, 156, 80], [76, 126, 52], green), 0.7 + 0.45 * plant), cover)
}

const water: Texture = (x, y, { seed, sun }) => {
  const ripple = fractalNoise((x + 0.4 * y) / 0.5, (y - 0.4 * x) / 0.22, seed + 41, 3)
  const deep = mix([40, 66, 74], [62, 84, 72], fractalNoise(x / 4, y / 4, seed + 42, 2))
  return mix(scale(deep, 0.8 + 0.4 * ripple), [190, 200, 205], smoothstep(0.72, 0.9, ripple + 0.05 * sun[0]) * 0.6)
}

const floodedVegetation: Texture = (x, y, ground) => {
  const { seed, green } = ground
  const clumps = fractalNoise(x / 0.8, y / 0.8, seed + 51, 3)
  const reed = valueNoise(x / 0.1, y / 0.25, seed + 52)
  const plants = scale(mix([132, 118, 72], [96, 120, 58], green), 0.6 + 0.6 * reed)
  return mix(scale(water(x, y, ground), 0.9), plants, smoothstep(0.42, 0.56, clumps))
}

const built: Texture = (x, y, { seed, heading }) => {
  const [across, along] = turned(x, y, heading)
  const slabX = Math.floor(across / 1.9), slabY = Math.floor(along / 2.7)
  const kind = latticeHash(slabX >> 1, slabY >> 1, seed + 61)
  const joint = Math.min(Math.abs(across / 1.9 - slabX - 0.5), Math.abs(along / 2.7 - slabY - 0.5))
  const edge = Math.max(Math.abs(across / 1.9 - slabX - 0.5), Math.abs(along / 2.7 - slabY - 0.5))
  const face: Colour = kind < 0.3 ? [142, 84, 66] : kind < 0.7 ? [150, 148, 144] : [92, 92, 96]
  const ribs = kind < 0.3 ? 0.08 * Math.cos(2 * Math.PI * along / 0.3) : 0
  const wear = 0.84 + 0.24 * fractalNoise(x / 0.5, y / 0.5, seed + 62, 3) + 0.08 * latticeHash(slabX, slabY, seed + 63)
  return scale(face, (wear + ribs) * (edge > 0.475 ? 0.68 : joint < 0.012 && kind >= 0.7 ? 1.5 : 1))
}

const bare: Texture = (x, y, { seed, sun }) => {
  const stone = nearestCell(x / 1.1, y / 1.1, seed + 71)
  const radius = stone.random > 0.55 ? 0.4 * (stone.random - 0.35) : 0
  const sand = scale(mix(soil, [184, 156, 120], fractalNoise(x / 2, y / 2, seed + 72, 2)), 0.8 + 0.4 * fractalNoise(x / 0.5, y / 0.5, seed + 73, 4))
  const rough = 0.08 * (valueNoise(x / 0.15, y / 0.15, seed + 74) - 0.5)
  return radius > 0 && stone.distance + rough < radius ? scale([164, 150, 132], 1.1 * dome(stone.dx, stone.dy, stone.distance, radius, sun)) : sand
}

const snowAndIce: Texture = (x, y, { seed, sun }) => {
  const drift = (px: number, py: number) => fractalNoise(px / 1.4, py / 0.9, seed + 81, 3)
  const slope = drift(x + 0.15 * sun[0], y + 0.15 * sun[1]) - drift(x, y)
  const bed = mix([196, 208, 222], [236, 238, 240], clamp(0.5 + 5 * slope))
  return mix(bed, [142, 132, 108], smoothstep(0.62, 0.72, fractalNoise(x / 0.9, y / 0.9, seed + 82, 3)) * 0.7)
}

export const landCovers = ["water", "trees", "grass", "flooded_vegetation", "crops", "shrub_and_scrub", "built", "bare", "snow_and_ice"] as const
export type LandCover = (typeof landCovers)[number]

/** Colour of each land cover at a point, 0..255 and sometimes beyond; whoever writes pixels clips. */
export const textures: Readonly<Record<LandCover, Texture>> = {
  water,
  trees,
  grass,
  flooded_vegetation: floodedVegetation,
  crops,
  shrub_and_scrub: shrubAndScrub,
  built,
  bare,
  snow_and_ice: snowAndIce
}
