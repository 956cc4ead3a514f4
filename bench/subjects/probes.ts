import { join } from "node:path"
import { mostProbable } from "../../math/classification.ts"
import { lloyd } from "../../math/kmeans.ts"
import { neighboursOf, unitRows, votesOf } from "../../math/knn.ts"
import { fitLogistic, type LogisticFit } from "../../math/logistic.ts"
import { type Matrix, timesTransposed } from "../../math/matrix.ts"
import { mutualInformation } from "../../math/mutual-information.ts"
import { type Random, stream } from "../../math/random.ts"
import { ranking, rankingMeasures } from "../../math/ranking.ts"
import { ridgeOf } from "../../math/ridge.ts"
import { interleaved, secondsOf } from "../figures.ts"
import { writeNpy } from "../npy.ts"
import type { Bench, Subject } from "../subject.ts"

const names = ["numpy", "scipy", "sklearn", "faiss"]
const count = (n: number) => n.toLocaleString("en-US")
const normals = (n: number, random: Random) => Float64Array.from({ length: n }, random.normal)
const column = ({ columns, rows, values }: Matrix, j: number) => {
  const out = new Float64Array(rows)
  for (let i = 0; i < rows; i++) out[i] = values[i * columns + j]!
  return out
}

/** Overlapping classes under columns of uneven scale, float32. */
const clouds = (n: number, d: number, classes: number, means: Float64Array, random: Random) => {
  const y = Int32Array.from({ length: n }, () => random.integer(classes)), values = new Float32Array(n * d)
  for (let at = 0; at < values.length; at++) {
    const j = at % d
    values[at] = (0.11 * means[y[(at - j) / d]! * d + j]! + random.normal()) * (2 - 1.6 * j / (d - 1))
  }
  return { x: { rows: n, columns: d, values }, y }
}

/** The objective of a fit in float64: what the fit itself reports comes of float32 products. */
const objectiveOf = ({ classes, coefficients, intercepts }: LogisticFit, C: number, x: Matrix, y: Int32Array): number => {
  const z = new Float64Array(x.rows * classes)
  timesTransposed(x, coefficients, classes, z)
  let loss = 0
  for (let i = 0; i < x.rows; i++) {
    const own = z.subarray(i * classes, (i + 1) * classes).map((score, c) => score + intercepts[c]!), top = Math.max(...own)
    loss += Math.log(own.reduce((sum, score) => sum + Math.exp(score - top), 0)) + top - own[y[i]!]!
  }
  return C * loss + 0.5 * coefficients.reduce((sum, w) => sum + w * w, 0)
}

const information = async ({ folder, quick, row }: Bench, peer: Awaited<ReturnType<Bench["peer"]>>, rounds: number) => {
  const n = quick ? 10_000 : 100_000, random = stream(0, "bench information"), y = Int32Array.from({ length: n }, () => random.integer(3))
  const values = Float64Array.from({ length: n * 4 }, (_, at) => [random.uniform(), random.uniform(), 0.2 * (y[at >> 2]! + random.normal()), 0.1 * y[at >> 2]! + 0.3 * random.normal()][at % 4]!)
  const x: Matrix = { rows: n, columns: 4, values }, files = { x: join(folder, "mi-x.npy"), y: join(folder, "mi-y.npy") }, noise = normals(n, random)
  writeNpy(files.x, values, [n, 4])
  writeNpy(files.y, y, [n])
  const { ours, theirs } = await interleaved({
    ours: () => secondsOf(() => {
      for (let j = 0; j < 4; j++) mutualInformation(column(x, j), y, noise)
    }),
    theirs: peer && (() => peer.seconds("information", files))
  }, rounds)
  row({ what: `mutual information, ${count(n)} x 4, 3 neighbours`, unit: "s", better: "lower", ours, peers: { "scikit-learn": theirs }, target: { ratio: 3 } })
}

const clusters = async ({ folder, quick, remark, row }: Bench, peer: Awaited<ReturnType<Bench["peer"]>>, rounds: number) => {
  const n = quick ? 10_000 : 100_000, k = 100, iterations = 18, random = stream(0, "bench clusters")
  const centres = Float64Array.from({ length: 300 }, (_, at) => at % 2 === 0 ? 130 * random.uniform() - 60 : 350 * random.uniform() - 180)
  const values = new Float64Array(n * 2)
  for (let i = 0; i < n; i++) {
    const c = random.integer(150)
    values.set([centres[2 * c]! + 3 * random.normal(), centres[2 * c + 1]! + 3 * random.normal()], 2 * i)
  }
  const x: Matrix = { rows: n, columns: 2, values }, start: Matrix = { rows: k, columns: 2, values: values.slice(0, k * 2) }
  const files = { x: join(folder, "points.npy"), start: join(folder, "start.npy") }
  writeNpy(files.x, values, [n, 2])
  writeNpy(files.start, start.values, [k, 2])
  let inertia = Number.NaN, found = Number.NaN
  const { ours, theirs } = await interleaved({
    ours: () => secondsOf(() => {
      inertia = lloyd(x, start, iterations).inertia
    }),
    theirs: peer && (async () => {
      const answer = await peer.call("clusters", { ...files, iterations })
      found = Number(answer["inertia"])
      return answer.seconds
    })
  }, rounds)
  row({ what: `k-means, ${count(n)} x 2, k = ${k}, ${iterations} iterations from given centres`, unit: "s", better: "lower", ours, peers: { "scikit-learn": theirs }, target: { ratio: 1 } })
  if (peer !== undefined) remark(`k-means: the inertias differ by ${Math.abs(inertia / found - 1).toExponential(0)} (relative).`)
}

const precision = async ({ folder, quick, row }: Bench, peer: Awaited<ReturnType<Bench["peer"]>>, rounds: number) => {
  const n = quick ? 2000 : 10_000, labels = 19, random = stream(0, "bench precision")
  const truth = Int32Array.from({ length: n * labels }, () => random.uniform() < 0.15 ? 1 : 0), scores = Float64Array.from(truth, (one) => one + random.normal())
  const files = { scores: join(folder, "scores.npy"), truth: join(folder, "truth.npy") }
  writeNpy(files.scores, scores, [n, labels])
  writeNpy(files.truth, truth, [n, labels])
  const { ours, theirs } = await interleaved({
    ours: () => secondsOf(() => {
      rankingMeasures(ranking(scores), truth, 1)
      for (let c = 0; c < labels; c++) {
        rankingMeasures(ranking(column({ rows: n, columns: labels, values: scores }, c)), column({ rows: n, columns: labels, values: Float64Array.from(truth) }, c), 1)
      }
    }),
    theirs: peer && (async () => await peer.seconds("precision", { ...files, average: "micro" }) + await peer.seconds("precision", { ...files, average: "macro" }))
  }, rounds)
  row({ what: `average precision, ${count(n)} x ${labels}, micro and macro`, unit: "s", better: "lower", ours, peers: { "scikit-learn": theirs }, target: { ratio: 1 } })
}

const ridge = async ({ folder, quick, row }: Bench, peer: Awaited<ReturnType<Bench["peer"]>>, rounds: number) => {
  const n = quick ? 300 : 1200, d = quick ? 256 : 1024, random = stream(0, "bench ridge"), alphas = [0.01, 0.1, 1, 10, 100, 1000]
  const x: Matrix = { rows: n, columns: d, values: normals(n * d, random) }, y: Matrix = { rows: n, columns: 13, values: normals(n * 13, random) }
  const files = { x: join(folder, "ridge-x.npy"), y: join(folder, "ridge-y.npy") }
  writeNpy(files.x, x.values, [n, d])
  writeNpy(files.y, y.values, [n, 13])
  const { ours, theirs } = await interleaved({
    ours: () => secondsOf(() => alphas.map(ridgeOf(x).fit(y))),
    theirs: peer && (() => peer.seconds("ridge", { ...files, alphas }))
  }, rounds)
  row({ what: `ridge, ${count(n)} x ${count(d)}, 13 targets, 6 alphas`, unit: "s", better: "lower", ours, peers: { "scikit-learn": theirs } })
}

export default {
  title: "Probes and miners",
  about: `Seconds of one call on one thread, data in memory. Logistic regression is compared at equal objective: scikit-learn's lbfgs at tol = 1e-6 (for several C with
warm starts), ours stopped as soon as no objective is above its.`,
  run: async (bench) => {
    const { folder, quick, remark, row } = bench
    const peer = await bench.peer("numerics.py", names), rounds = quick ? 2 : 5
    await information(bench, peer, rounds)
    await clusters(bench, peer, rounds)
    await precision(bench, peer, rounds)
    await ridge(bench, peer, rounds)

    const n = quick ? 2000 : 20_000, m = quick ? 500 : 5000, d = quick ? 128 : 768, classes = 50, k = 20, random = stream(0, "bench clouds")
    const means = normals(classes * d, random), { x, y } = clouds(n, d, classes, means, random), { x: queries } = clouds(m, d, classes, means, random)
    const files = { x: join(folder, "x.npy"), y: join(folder, "y.npy"), queries: join(folder, "queries.npy") }
    writeNpy(files.x, x.values, [n, d])
    writeNpy(files.y, y, [n])
    writeNpy(files.queries, queries.values, [m, d])

    let own = new Int32Array(), given: ReadonlyArray<number> = []
    const nearest = await interleaved({
      ours: () => secondsOf(async () => {
        own = Int32Array.from(mostProbable(votesOf(await neighboursOf(unitRows(x), unitRows(queries), k), y, classes, k, Infinity), classes))
      }),
      theirs: peer && (async () => {
        const answer = await peer.call("neighbours", { bank: files.x, queries: files.queries, y: files.y, k })
        given = answer["predicted"] as ReadonlyArray<number>
        return answer.seconds
      })
    }, rounds)
    row({ what: `k-NN probe, ${count(m)} queries in ${count(n)} x ${d}, k = ${k}, cosine`, unit: "s", better: "lower", ours: nearest.ours, peers: { faiss: nearest.theirs }, target: { ratio: 1.5 } })
    if (peer !== undefined) remark(`k-NN: ${own.filter((id, i) => id !== given[i]).length} of ${count(m)} predictions differ.`)

    for (const C of quick ? [[1]] : [[1], [0.01, 0.1, 1, 10]]) {
      const call = () => peer?.call("logistic", { x: files.x, y: files.y, C, tolerance: 1e-6 })
      const goals = (await call())?.["objectives"] as ReadonlyArray<number> | undefined
      // The greatest tolerance, in steps of 2, with which ours reaches every goal.
      let tolerance = goals === undefined ? 1e-6 : 1.28e-4, fits: ReadonlyArray<LogisticFit> = [], reached: ReadonlyArray<number> = []
      for (; ; tolerance /= 2) {
        fits = await fitLogistic(x, y, classes, C, undefined, { tolerance })
        reached = fits.map((fit, i) => objectiveOf(fit, C[i]!, x, y))
        if (goals === undefined || tolerance < 1e-8 || reached.every((objective, i) => objective <= goals[i]!)) break
      }
      const { ours, theirs } = await interleaved({
        ours: () => secondsOf(() => fitLogistic(x, y, classes, C, undefined, { tolerance })),
        theirs: peer && (async () => (await call())!.seconds)
      }, quick ? 1 : 3, { warm: 0 })
      row({ what: `logistic regression, ${count(n)} x ${d}, ${classes} classes, C = ${C.join(", ")}`, unit: "s", better: "lower", ours, peers: { "scikit-learn": theirs }, target: { ratio: 1.2 } })
      const objectives = (of: ReadonlyArray<number>) => of.map((value) => value.toFixed(4)).join(", ")
      remark(`Logistic regression, C = ${C.join(", ")}: objectives ${objectives(reached)}${goals === undefined ? "" : ` against scikit-learn's ${objectives(goals)}`}; ${fits.map(({ evaluations }) => evaluations).join(", ")} evaluations.`)
    }
  }
} satisfies Subject
