import { describe, expect, it } from "vitest"
import { boundsOf, colourAt, distanceTo, drawAnimal, species } from "../../imagery/scene-animal.ts"
import { landCovers, textures } from "../../imagery/scene-land.ts"
import { fractalNoise, latticeHash, nearestCell, valueNoise } from "../../imagery/scene-noise.ts"
import { drawDates, drawPlace, renderScene } from "../../imagery/scene.ts"
import { stream } from "../../math/random.ts"

const scene = (seed: number, size = 64, clutter = 0.5) =>
  renderScene(drawPlace(stream(seed, "place")), drawDates(stream(seed, "dates"), 1)[0]!, species[seed % 3]!, size, clutter, stream(seed, "visit"))

describe("renderScene", () => {
  it("gives the same bits for the same streams, others for others", () => {
    expect(scene(1)).toEqual(scene(1))
    expect(scene(1).pixels).not.toEqual(scene(4).pixels)
  })

  it("puts the whole animal into the picture, from a few px to a third of it", () => {
    for (let seed = 0; seed < 60; seed++) {
      const { box: [xmin, ymin, xmax, ymax] } = scene(seed, 32)
      expect(xmin).toBeGreaterThanOrEqual(0)
      expect(ymin).toBeGreaterThanOrEqual(0)
      expect(xmax).toBeLessThanOrEqual(32)
      expect(ymax).toBeLessThanOrEqual(32)
      expect(xmax - xmin).toBeGreaterThan(0)
      expect(ymax - ymin).toBeGreaterThan(0)
      expect((xmax - xmin) * (ymax - ymin)).toBeLessThan(0.36 * 32 * 32)
    }
  })

  it("shows the same ground in more detail where it is larger", () => {
    const small = scene(5, 32), large = scene(5, 128)
    expect(large.gsd).toBeCloseTo(small.gsd / 4, 12)
    large.box.forEach((edge, i) => expect(Math.abs(edge / 4 - small.box[i]!)).toBeLessThanOrEqual(1.5))
  })

  it("marks the animal: pixels in the box differ from plain ground more than those outside", () => {
    for (const seed of [0, 3, 6, 9, 12]) {
      const { box: [xmin, ymin, xmax, ymax], pixels } = scene(seed, 64, 0)
      let inside = 0, outside = 0
      for (let y = 0; y < 64; y++) {
        for (let x = 0; x < 64; x++) {
          const off = Math.abs(pixels[(y * 64 + x) * 3]! - 132) > 40 ? 1 : 0
          if (x >= xmin && x < xmax && y >= ymin && y < ymax) inside += off
          else outside += off
        }
      }
      expect(inside).toBeGreaterThan(outside)
    }
  })

  it("draws no snow in summer", () => {
    const place = { ...drawPlace(stream(0)), lat: 62, covers: [{ cover: "snow_and_ice" as const, seed: 1, bias: 0 }] }
    const day = 86_400_000, newYear = 1_609_459_200_000
    expect(renderScene(place, newYear + 15 * day, "deer", 32, 1, stream(0)).covers).toEqual(["snow_and_ice"])
    expect(renderScene(place, newYear + 190 * day, "deer", 32, 1, stream(0)).covers).toEqual(["grass"])
  })
})

describe("drawDates", () => {
  it("ascend, at least nine days apart", () => {
    for (let seed = 0; seed < 20; seed++) {
      const dates = drawDates(stream(seed), 4)
      for (let i = 1; i < dates.length; i++) expect(dates[i]! - dates[i - 1]!).toBeGreaterThan(9 * 86_400_000)
    }
  })
})

describe("animals", () => {
  it("differ in size: a horse is longer than a cow, a cow than a deer", () => {
    const length = (name: (typeof species)[number]) => {
      let sum = 0
      for (let seed = 0; seed < 40; seed++) {
        const [xmin, , xmax] = boundsOf(drawAnimal(name, stream(seed)), 0)
        sum += xmax - xmin
      }
      return sum / 40
    }
    expect(length("horse")).toBeGreaterThan(length("cow") + 0.2)
    expect(length("cow")).toBeGreaterThan(length("deer") + 0.4)
  })

  it("have a colour exactly where they are", () => {
    for (const name of species) {
      const animal = drawAnimal(name, stream(2))
      for (let u = -2; u < 2; u += 0.07) {
        for (let v = -1; v < 1; v += 0.07) expect(colourAt(animal, u, v, [1, 0]) !== undefined).toBe(distanceTo(animal, u, v) <= 0)
      }
    }
  })
})

describe("land covers", () => {
  it.each(landCovers)("%s has a finite colour everywhere, and texture", (cover) => {
    const reds: Array<number> = []
    for (let i = 0; i < 400; i++) {
      const colour = textures[cover](i * 0.37 - 60, i * 0.11 - 20, { seed: 7, green: 0.6, sun: [0.6, 0.8], heading: 1 })
      for (const value of colour) {
        expect(value).toBeGreaterThan(-5)
        expect(value).toBeLessThan(320)
      }
      reds.push(colour[0])
    }
    const mean = reds.reduce((a, b) => a + b, 0) / 400
    expect(Math.sqrt(reds.reduce((sum, red) => sum + (red - mean) ** 2, 0) / 400)).toBeGreaterThan(3)
  })
})

describe("noise", () => {
  it("is uniform over the lattice", () => {
    const bins = new Int32Array(10)
    for (let x = 0; x < 100; x++) for (let y = 0; y < 100; y++) bins[Math.floor(latticeHash(x - 50, y - 50, 3) * 10)]!++
    for (const bin of bins) expect(Math.abs(bin - 1000)).toBeLessThan(120)
  })
  it("is continuous, and takes the lattice's values on it", () => {
    expect(valueNoise(3, -4, 9)).toBe(latticeHash(3, -4, 9))
    for (let i = 0; i < 50; i++) expect(Math.abs(fractalNoise(i * 0.31, 2, 1, 3) - fractalNoise(i * 0.31 + 1e-6, 2, 1, 3))).toBeLessThan(1e-4)
  })
  it("finds the nearest of scattered points", () => {
    for (let i = 0; i < 30; i++) {
      const { distance, dx, dy } = nearestCell(i * 0.7, i * -0.3, 5)
      expect(nearestCell(i * 0.7 + dx, i * -0.3 + dy, 5).distance).toBeLessThan(1e-9)
      expect(distance).toBeCloseTo(Math.hypot(dx, dy), 12)
    }
  })
})
