/** Made-up embeddings for the benches of training, with the structure of TG-MATL's data: class and box signal under nuisance. */
import { type Random, stream } from "../math/random.ts"

export interface Vectors {
  readonly rows: number
  readonly width: number
  /** [rows, width], norms about 10, as CLIP's. */
  readonly values: Float32Array
  /** 0, 1 or 2. */
  readonly classes: Int32Array
  /** [rows, 4]: xmin, ymin, xmax, ymax in px of a window of 300 px. Size and elongation depend on the class, the place does not. */
  readonly boxes: Int32Array
  /** Terciles of the box's area: a second label set. */
  readonly sizes: Int32Array
  /** Uniform in [0, 1). */
  readonly scores: Float32Array
}

export const window = 300

const matrix = (rows: number, width: number, random: Random) => Float64Array.from({ length: rows * width }, () => random.normal() / Math.sqrt(width))

export const vectors = (rows: number, width: number, seed = 0): Vectors => {
  const random = stream(seed, "bench", rows, width)
  const classes = random.shuffle(Int32Array.from({ length: rows }, (_, i) => i % 3))
  const boxes = new Int32Array(rows * 4), traits = new Float64Array(rows * 6)
  for (let row = 0; row < rows; row++) {
    const area = [9.2, 8.4, 8.9][classes[row]!]! + 0.55 * random.normal(), ratio = [0.45, 0.05, -0.35][classes[row]!]! + 0.35 * random.normal()
    const size = (log: number) => Math.round(Math.min(280, Math.max(12, Math.exp(log / 2))))
    const w = size(area + ratio), h = size(area - ratio)
    const x = Math.floor(random.uniform() * (window - w)), y = Math.floor(random.uniform() * (window - h))
    boxes.set([x, y, x + w, y + h], row * 4)
    traits.set([(x + w / 2) / 150 - 1, (y + h / 2) / 150 - 1, Math.log(w) - 4.4, Math.log(h) - 4.4, Math.sqrt(w * h) / 75 - 1, ratio], row * 6)
  }
  const ofClass = matrix(3, width, random), ofBox = matrix(6, width, random), nuisance = matrix(12, width, random)
  const values = new Float32Array(rows * width)
  for (let row = 0; row < rows; row++) {
    const strong = Array.from({ length: 12 }, () => 2.2 * random.normal())
    for (let k = 0; k < width; k++) {
      let value = 0.6 * ofClass[classes[row]! * width + k]! + random.normal() * Math.sqrt(6 / width)
      for (let f = 0; f < 6; f++) value += 0.9 * Math.tanh(traits[row * 6 + f]!) * ofBox[f * width + k]!
      for (let f = 0; f < 12; f++) value += strong[f]! * nuisance[f * width + k]!
      values[row * width + k] = value * 3
    }
  }
  const area = Float64Array.from({ length: rows }, (_, i) => (boxes[i * 4 + 2]! - boxes[i * 4]!) * (boxes[i * 4 + 3]! - boxes[i * 4 + 1]!))
  const sorted = area.toSorted(), third = sorted[Math.floor(rows / 3)]!, twoThirds = sorted[Math.floor(2 * rows / 3)]!
  return {
    rows,
    width,
    values,
    classes,
    boxes,
    sizes: Int32Array.from(area, (value) => value < third ? 0 : value < twoThirds ? 1 : 2),
    scores: Float32Array.from({ length: rows }, random.uniform)
  }
}
