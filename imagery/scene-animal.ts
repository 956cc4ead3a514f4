/**
 * Animals of procedural scenes seen from straight above: cow, deer and horse. Each is a few tapered limbs in metres, u forward along
 * the spine and v to its left, and a coat. The species overlap in colour and in size, so that neither alone tells them apart.
 */
import type { Random } from "../math/random.ts"
import { type Colour, mix, scale, smoothstep } from "./scene-land.ts"
import { fractalNoise, nearestCell } from "./scene-noise.ts"

export const species = ["cow", "deer", "horse"] as const
export type Species = (typeof species)[number]

/** A limb: a disc of radius `from` at one end, of radius `to` at the other, and their hull. */
interface Limb {
  readonly a: readonly [u: number, v: number]
  readonly b: readonly [u: number, v: number]
  readonly from: number
  readonly to: number
  readonly coat: (u: number, v: number) => Colour
}

export interface Animal {
  /** Painted in this order, later ones above earlier ones. */
  readonly limbs: ReadonlyArray<Limb>
  /** Height of the back in metres: what the shadow's length follows from. */
  readonly height: number
}

/** Signed distance to a limb in metres, negative inside. */
const distanceToLimb = ({ a, b, from, to }: Limb, u: number, v: number): number => {
  const du = b[0] - a[0], dv = b[1] - a[1]
  const t = Math.min(1, Math.max(0, ((u - a[0]) * du + (v - a[1]) * dv) / (du * du + dv * dv)))
  const x = u - a[0] - t * du, y = v - a[1] - t * dv
  return Math.sqrt(x * x + y * y) - from - (to - from) * t
}

/** Colour at a point, or undefined beside the animal. `sun` is the unit vector towards the sun in the animal's own axes. */
export const colourAt = ({ limbs }: Animal, u: number, v: number, sun: readonly [number, number]): Colour | undefined => {
  for (let i = limbs.length - 1; i >= 0; i--) {
    const limb = limbs[i]!
    const distance = distanceToLimb(limb, u, v)
    if (distance > 0) continue
    const radius = Math.max(limb.from, limb.to)
    const centreU = (limb.a[0] + limb.b[0]) / 2, centreV = (limb.a[1] + limb.b[1]) / 2
    const half = Math.hypot(limb.b[0] - limb.a[0], limb.b[1] - limb.a[1]) / 2 + radius
    const lit = ((u - centreU) / half) * sun[0] + ((v - centreV) / radius) * sun[1]
    return scale(limb.coat(u, v), 0.86 + 0.2 * lit + 0.22 * Math.min(1, -distance / radius))
  }
  return undefined
}

/** Signed distance to the animal's outline in metres, negative inside. */
export const distanceTo = ({ limbs }: Animal, u: number, v: number): number => {
  let least = Infinity
  for (const limb of limbs) least = Math.min(least, distanceToLimb(limb, u, v))
  return least
}

/** Bounds of the animal turned by a heading, metres from its origin. */
export const boundsOf = ({ limbs }: Animal, heading: number): readonly [xmin: number, ymin: number, xmax: number, ymax: number] => {
  const cos = Math.cos(heading), sin = Math.sin(heading)
  const discs = limbs.flatMap(({ a, b, from, to }) => [[a[0] * cos - a[1] * sin, a[0] * sin + a[1] * cos, from], [b[0] * cos - b[1] * sin, b[0] * sin + b[1] * cos, to]] as const)
  return [
    Math.min(...discs.map(([x, , r]) => x - r)),
    Math.min(...discs.map(([, y, r]) => y - r)),
    Math.max(...discs.map(([x, , r]) => x + r)),
    Math.max(...discs.map(([, y, r]) => y + r))
  ]
}

const between = (random: Random, low: number, high: number): number => low + (high - low) * random.uniform()
const pick = <A>(random: Random, values: readonly [A, ...ReadonlyArray<A>]): A => values[random.integer(values.length)] ?? values[0]

const cow = (random: Random): Animal => {
  const base = pick<Colour>(random, [[44, 40, 38], [44, 40, 38], [44, 40, 38], [112, 70, 46], [190, 168, 134]])
  const pied = random.uniform() < 0.75
  const seed = random.integer(1 << 30)
  const hide = (u: number, v: number): Colour =>
    pied ? mix(base, [226, 222, 214], smoothstep(0.5, 0.56, fractalNoise(u / 0.5, v / 0.4, seed, 2))) : scale(base, 0.9 + 0.2 * fractalNoise(u / 0.3, v / 0.3, seed, 2))
  const face = random.uniform() < 0.5 ? (): Colour => [222, 216, 206] : hide
  const turn = between(random, -0.75, 0.75)
  const headU = 0.98 + 0.26 * Math.cos(turn), headV = 0.3 * Math.sin(turn)
  const tipU = headU + 0.3 * Math.cos(turn * 1.5), tipV = headV + 0.3 * Math.sin(turn * 1.5)
  const sideU = -Math.sin(turn * 1.5), sideV = Math.cos(turn * 1.5)
  return {
    height: 1.35,
    limbs: [
      { a: [-0.95, 0], b: [-1.2, between(random, -0.2, 0.2)], from: 0.05, to: 0.07, coat: hide },
      { a: [0.5, 0], b: [headU, headV], from: 0.3, to: 0.17, coat: hide },
      { a: [-0.68, 0], b: [0.05, 0], from: 0.34, to: 0.43, coat: hide },
      { a: [0.05, 0], b: [0.62, 0], from: 0.43, to: 0.33, coat: hide },
      { a: [headU - 0.28 * sideU, headV - 0.28 * sideV], b: [headU + 0.28 * sideU, headV + 0.28 * sideV], from: 0.06, to: 0.06, coat: hide },
      { a: [headU, headV], b: [tipU, tipV], from: 0.16, to: 0.11, coat: face }
    ]
  }
}

const deer = (random: Random): Animal => {
  const base = mix([150, 104, 64], [118, 104, 88], random.uniform())
  const spotted = random.uniform() < 0.6
  const seed = random.integer(1 << 30)
  const hide = (u: number, v: number): Colour => {
    const spot = nearestCell(u / 0.17, v / 0.14, seed)
    return spotted && spot.distance < 0.3 && Math.abs(v) > 0.05 ? [224, 206, 172] : scale(base, Math.abs(v) < 0.05 ? 0.7 : 1)
  }
  const rump = (): Colour => [222, 212, 194]
  const horn = (): Colour => [176, 156, 124]
  const turn = between(random, -1, 1)
  const headU = 0.6 + 0.34 * Math.cos(turn), headV = 0.34 * Math.sin(turn)
  const sideU = -Math.sin(turn), sideV = Math.cos(turn)
  const tip = 0.2
  const ears: ReadonlyArray<Limb> = [-1, 1].map((side) => ({
    a: [headU, headV],
    b: [headU - 0.05 * Math.cos(turn) + side * 0.19 * sideU, headV - 0.05 * Math.sin(turn) + side * 0.19 * sideV],
    from: 0.05,
    to: 0.055,
    coat: hide
  }))
  const antlers: ReadonlyArray<Limb> = random.uniform() < 0.4
    ? [-1, 1].flatMap((side): ReadonlyArray<Limb> => {
      const midU = headU - 0.12 * Math.cos(turn) + side * 0.26 * sideU, midV = headV - 0.12 * Math.sin(turn) + side * 0.26 * sideV
      return [
        { a: [headU, headV], b: [midU, midV], from: 0.025, to: 0.025, coat: horn },
        { a: [midU, midV], b: [midU + 0.26 * Math.cos(turn), midV + 0.26 * Math.sin(turn)], from: 0.025, to: 0.02, coat: horn }
      ]
    })
    : []
  return {
    height: 0.95,
    limbs: [
      { a: [0.32, 0], b: [headU, headV], from: 0.13, to: 0.08, coat: hide },
      { a: [-0.44, 0], b: [-0.02, 0], from: 0.18, to: 0.21, coat: hide },
      { a: [-0.02, 0], b: [0.36, 0], from: 0.21, to: 0.15, coat: hide },
      { a: [-0.54, 0], b: [-0.64, between(random, -0.05, 0.05)], from: 0.11, to: 0.05, coat: rump },
      ...ears,
      { a: [headU, headV], b: [headU + tip * Math.cos(turn), headV + tip * Math.sin(turn)], from: 0.085, to: 0.05, coat: hide },
      ...antlers
    ]
  }
}

const horse = (random: Random): Animal => {
  const [body, hair] = pick<readonly [Colour, Colour]>(random, [
    [[104, 68, 48], [34, 28, 26]],
    [[104, 68, 48], [34, 28, 26]],
    [[136, 86, 56], [112, 68, 44]],
    [[136, 86, 56], [112, 68, 44]],
    [[48, 42, 40], [28, 26, 26]],
    [[190, 186, 180], [216, 212, 206]]
  ])
  const seed = random.integer(1 << 30)
  const hide = (u: number, v: number): Colour => scale(body, 0.94 + 0.12 * fractalNoise(u / 0.35, v / 0.35, seed, 2))
  const strands = (): Colour => hair
  const blaze = random.uniform() < 0.5 ? (): Colour => mix(body, [232, 228, 222], 0.8) : hide
  const turn = between(random, -0.55, 0.55)
  const pollU = 0.6 + 0.72 * Math.cos(turn), pollV = 0.72 * Math.sin(turn)
  const noseU = pollU + 0.42 * Math.cos(turn * 1.4), noseV = pollV + 0.42 * Math.sin(turn * 1.4)
  const sway = between(random, -0.3, 0.3)
  return {
    height: 1.55,
    limbs: [
      { a: [-0.92, 0], b: [-1.42, sway], from: 0.09, to: 0.11, coat: strands },
      { a: [0.5, 0], b: [pollU, pollV], from: 0.25, to: 0.13, coat: hide },
      { a: [-0.66, 0], b: [-0.1, 0], from: 0.31, to: 0.28, coat: hide },
      { a: [-0.1, 0], b: [0.56, 0], from: 0.28, to: 0.27, coat: hide },
      { a: [pollU, pollV], b: [noseU, noseV], from: 0.13, to: 0.09, coat: blaze },
      { a: [0.45, 0.02], b: [pollU, pollV + 0.02], from: 0.055, to: 0.06, coat: strands }
    ]
  }
}

const bodies: Readonly<Record<Species, (random: Random) => Animal>> = { cow, deer, horse }

/** An animal of a species: pose, coat, and size (a fifth are young, the rest vary by a tenth) drawn from the stream. */
export const drawAnimal = (name: Species, random: Random): Animal => {
  const size = random.uniform() < 0.2 ? between(random, 0.6, 0.78) : between(random, 0.88, 1.08)
  const drawn = bodies[name](random)
  return {
    height: drawn.height * size,
    limbs: drawn.limbs.map((limb) => ({
      a: [limb.a[0] * size, limb.a[1] * size],
      b: [limb.b[0] * size, limb.b[1] * size],
      from: limb.from * size,
      to: limb.to * size,
      coat: (u, v) => limb.coat(u / size, v / size)
    }))
  }
}
