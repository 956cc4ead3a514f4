import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { stream } from "../../math/random.ts"
import { compile, kernels } from "../../wasm/build.ts"
import { bytes as linearBytes } from "../../wasm/bytes/linear.ts"
import { bytes as optimiserBytes } from "../../wasm/bytes/optimisers.ts"
import { bytes as productBytes } from "../../wasm/bytes/products.ts"
import { bytes as residualBytes } from "../../wasm/bytes/residuals.ts"
import { instantiate, Layout } from "../../wasm/instance.ts"

describe("the checked-in bytes", () => {
  it.each(kernels)("of %s are what its source compiles to (node wasm/build.ts renews them)", async (name) => {
    expect(await compile(name)).toBe(readFileSync(new URL(`../../wasm/bytes/${name}.ts`, import.meta.url), "utf8"))
  })
})

describe("residuals", () => {
  it("are weight * (softmax - one-hot), and the loss their likelihood, to float32", () => {
    const random = stream(0, "residuals"), n = 37, classes = 6, r = 8
    const layout = new Layout(), at = { z: layout.bytes(n * r * 4), intercepts: layout.bytes(r * 4), slopes: layout.bytes(r * 8), y: layout.bytes(n * 4), weights: layout.bytes(n * 8) }
    const memory = layout.memory(), { residuals } = instantiate(residualBytes, memory, ["residuals"])
    const z = new Float32Array(memory.buffer, at.z, n * r), intercepts = new Float32Array(memory.buffer, at.intercepts, r).fill(-1e30)
    const y = new Int32Array(memory.buffer, at.y, n), weights = new Float64Array(memory.buffer, at.weights, n), slopes = new Float64Array(memory.buffer, at.slopes, r)
    for (let i = 0; i < n; i++) {
      // From scores that are all but equal to ones so far apart that most shares are 0.
      for (let c = 0; c < classes; c++) z[i * r + c] = 10 ** (i % 5 - 2) * random.normal()
      y[i] = random.integer(classes)
      weights[i] = random.uniform()
    }
    for (let c = 0; c < classes; c++) intercepts[c] = random.normal()
    const scores = z.slice()
    const loss = residuals(at.z, at.intercepts, at.y, at.weights, at.slopes, n, r)
    let expected = 0
    const sums = new Float64Array(r)
    for (let i = 0; i < n; i++) {
      const own = Array.from({ length: classes }, (_, c) => scores[i * r + c]! + intercepts[c]!), top = Math.max(...own)
      const total = own.reduce((sum, score) => sum + Math.exp(score - top), 0)
      expected += weights[i]! * (Math.log(total) + top - own[y[i]!]!)
      for (let c = 0; c < r; c++) {
        const residual = c < classes ? weights[i]! * (Math.exp(own[c]! - top) / total - (c === y[i] ? 1 : 0)) : 0
        expect(Math.abs(z[i * r + c]! - residual)).toBeLessThan(2e-5)
        sums[c]! += residual
      }
    }
    expect(Math.abs(loss / expected - 1)).toBeLessThan(1e-6)
    for (let c = 0; c < r; c++) expect(Math.abs(slopes[c]! - sums[c]!)).toBeLessThan(1e-4)
  })
})

describe("cholesky", () => {
  it("times its transpose is the matrix, whatever the size leaves over of the tiles; 0 where there is none", () => {
    for (const n of [1, 2, 3, 31, 32, 33, 70]) {
      const random = stream(0, "cholesky", n), m = n + 3
      const layout = new Layout(), a = layout.bytes(n * m * 8), out = layout.bytes(n * n * 8)
      const memory = layout.memory(), { cholesky, gram } = instantiate(productBytes, memory, ["cholesky", "gram"])
      const rows = new Float64Array(memory.buffer, a, n * m).map(random.normal)
      new Float64Array(memory.buffer, a, n * m).set(rows)
      gram(a, n, m, out)
      const made = new Float64Array(memory.buffer, out, n * n), products = made.slice()
      for (let i = 0; i < n; i++) {
        for (let j = 0; j <= i; j++) {
          let sum = 0
          for (let p = 0; p < m; p++) sum += rows[i * m + p]! * rows[j * m + p]!
          expect(products[i * n + j]).toBeCloseTo(sum, 10)
        }
      }
      expect(cholesky(out, n)).toBe(1)
      for (let i = 0; i < n; i++) {
        for (let j = 0; j <= i; j++) {
          let sum = 0
          for (let p = 0; p <= j; p++) sum += made[i * n + p]! * made[j * n + p]!
          expect(sum).toBeCloseTo(products[i * n + j]!, 10)
        }
      }
      made.set(products)
      made[n * n - 1] = -1
      expect(cholesky(out, n)).toBe(0)
    }
  })
})

describe("the linear kernels", () => {
  it("descend as the gradient and the optimisers' Adam do apart, to the bit, moments that fade away too", () => {
    const n = 8, width = 12, panels = 2, size = width * panels * 8, random = stream(1, "descend"), layout = new Layout()
    const at = { rows: layout.bytes(n * 4), x: layout.bytes(n * width * 4), laid: layout.bytes(n * width * 4), g: layout.bytes(n * panels * 32), slope: layout.bytes(size * 4) }
    const [one, two] = [0, 1].map(() => ({ w: layout.bytes(size * 4), m: layout.bytes(size * 4), v: layout.bytes(size * 4) }))
    const memory = layout.memory(), { descend, gradient, lay } = instantiate(linearBytes, memory, ["descend", "gradient", "lay"]), { adam } = instantiate(optimiserBytes, memory, ["adam"])
    const floats = (at: number, length: number) => new Float32Array(memory.buffer, at, length)
    for (let r = 0; r < n; r++) new Int32Array(memory.buffer, at.rows, n)[r] = at.x + r * width * 4
    const draw = (at: number, length: number, scale: number) => floats(at, length).forEach((_, i, own) => void (own[i] = scale * random.normal()))
    draw(at.x, n * width, 1)
    draw(one!.w, size, 1)
    floats(two!.w, size).set(floats(one!.w, size))
    lay(at.rows, n, width, at.laid)
    for (let step = 1; step <= 60; step++) {
      // Nothing pulls any more after a third of the way: the first moments fade below what a float32 holds in full.
      draw(at.g, n * panels * 8, step <= 20 ? 1e-29 : 0)
      const rate = 1e-3 / (1 - 0.9 ** step), root = 1 / Math.sqrt(1 - 0.999 ** step)
      descend(at.laid, n, n, width, at.g, one!.w, one!.m, one!.v, panels, rate, root)
      gradient(at.laid, n, n, width, at.g, at.slope, panels)
      adam(at.slope, two!.w, two!.m, two!.v, size, rate, root)
    }
    for (const part of ["w", "m", "v"] as const) expect(floats(one![part], size)).toEqual(floats(two![part], size))
    expect(floats(one!.m, size).every((m) => m === 0)).toBe(true)
  })
})
