import { existsSync, readFileSync } from "node:fs"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { stream } from "outcrop"
import { selectRows, tripletCut } from "../../tensor/selection.ts"

const file = new URL("../../../shared/data/oracles/tg_selection.json", import.meta.url)
interface Oracle {
  readonly cases: ReadonlyArray<{
    readonly name: string
    readonly y: ReadonlyArray<number>
    readonly score: ReadonlyArray<number>
    readonly cells: ReadonlyArray<{ readonly tau: number; readonly rho: number; readonly per_class: Readonly<Record<string, { readonly top: ReadonlyArray<number>; readonly next_ranked: ReadonlyArray<number> }>> }>
  }>
  readonly top_counts: ReadonlyArray<readonly [number, number, number, number]>
  readonly more_counts: ReadonlyArray<readonly [number, number, number, number]>
}
const ascending = (rows: ReadonlyArray<number>) => rows.toSorted((a, b) => a - b)
const random = () => stream(0, "select")

describe.skipIf(!existsSync(file))("task-guided selection, as the oracles have it (skipped where shared/data is absent)", () => {
  const oracle: Oracle = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { cases: [], top_counts: [], more_counts: [] }
  for (const { cells, name, score, y } of oracle.cases) {
    it(`${name}: next-ranked, all 30 cells of the heatmap`, () => {
      for (const { per_class, rho, tau } of cells) {
        const expected = ascending(Object.values(per_class).flatMap(({ next_ranked, top }) => [...top, ...next_ranked]))
        expect(selectRows(y, score, { top: tau, more: rho }, "next-ranked", random)).toEqual(expected)
      }
    })
    it(`${name}: random takes the same top, and as many others of the class`, () => {
      for (const { per_class, rho, tau } of cells) {
        const selected = selectRows(y, score, { top: tau, more: rho }, "random", random)
        for (const [id, { next_ranked, top }] of Object.entries(per_class)) {
          const own = selected.filter((row) => y[row] === Number(id))
          expect(own.filter((row) => top.includes(row))).toEqual(ascending(top))
          expect(own.length).toBe(top.length + next_ranked.length)
        }
      }
    })
  }
  it("counts are floors in float64", () => {
    for (const [share, n, floor] of oracle.top_counts) {
      expect(selectRows(Array(n).fill(0), Array(n).fill(0), { top: share, more: 0 }, "next-ranked", random).length).toBe(floor)
    }
    for (const [share, n, floor] of oracle.more_counts) {
      expect(selectRows(Array(n).fill(0), Array(n).fill(0), { top: 0, more: share }, "next-ranked", random).length).toBe(1 + Math.min(floor, n - 1))
    }
  })
})

describe("task-guided selection", () => {
  it("leaves out rows without a class, and takes a score that is not a number last", () => {
    expect(selectRows([-1, 0, 0, -1, 0], [9, NaN, 1, 9, 2], { top: 0.7, more: 0 }, "next-ranked", random)).toEqual([2, 4])
  })
  it("random is drawn by the seed alone", () => {
    const ids = Array(40).fill(0), scores = ids.map((_, i) => -i)
    const draw = (seed: number) => selectRows(ids, scores, { top: 0.1, more: 0.2 }, "random", () => stream(seed, "select"))
    expect(draw(1)).toEqual(draw(1))
    expect(draw(1)).not.toEqual(draw(2))
  })
  it("does not draw where it has nothing to draw", () => {
    const never = () => {
      throw new Error("drawn")
    }
    expect(selectRows([0, 0, 0], [1, 2, 3], { top: 0.5, more: 0.5 }, "next-ranked", never)).toEqual([1, 2])
    expect(selectRows([0, 0, 0], [1, 2, 3], { top: 1, more: 0.5 }, "random", never)).toEqual([0, 1, 2])
  })
})

describe("triplet selection", () => {
  const batch = fc.array(fc.record({ id: fc.integer({ min: -1, max: 2 }), score: fc.float({ noNaN: true, min: 0, max: 1 }) }), { minLength: 1, maxLength: 9 })
  it("keeps the highest share of the valid triplets, and ties at the cut", () => {
    fc.assert(fc.property(batch, fc.double({ min: 0, max: 1, noNaN: true }), (rows, top) => {
      const ids = rows.map(({ id }) => id), scores = Float32Array.from(rows, ({ score }) => score)
      const sums: Array<number> = []
      for (const a of ids.keys()) for (const p of ids.keys()) for (const n of ids.keys()) {
        if (a !== p && ids[a]! >= 0 && ids[a] === ids[p] && ids[n]! >= 0 && ids[n] !== ids[a]) sums.push(Math.fround(Math.fround(scores[a]! + scores[p]!) + scores[n]!))
      }
      const cut = tripletCut(ids, scores, { top, more: 0 })
      if (sums.length === 0) return cut === -Infinity
      const wanted = Math.max(1, Math.floor(top * sums.length))
      return sums.includes(cut) && sums.filter((sum) => sum >= cut).length >= wanted && sums.filter((sum) => sum > cut).length < wanted
    }))
  })
})
