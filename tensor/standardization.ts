/** Training on standardised embeddings, whose scaling ends up in the first layer: what is learned projects embeddings as they are. */
import { scaled, type Scaling, standard } from "../math/scaling.ts"
import type { Vectors } from "../schemas/column.ts"

/** The embeddings scaled to mean 0 and deviation 1 on the rows given, and the scaling. */
export const standardized = ({ values, width }: Vectors, rows: Int32Array): { readonly embeddings: Vectors; readonly scaling: Scaling } => {
  const chosen = new Float32Array(rows.length * width)
  for (const [i, row] of rows.entries()) chosen.set(values.subarray(row * width, (row + 1) * width), i * width)
  const scaling = standard({ rows: rows.length, columns: width, values: chosen })
  const whole = scaled({ rows: values.length / width, columns: width, values }, scaling).values
  return { embeddings: { width, values: whole instanceof Float32Array ? whole : Float32Array.from(whole) }, scaling }
}

/**
 * The head's weights for embeddings as they are: (x - offset) / scale in front of x W + b is x (W / scale) + (b - (offset / scale) W). A head
 * without a bias has a loss that no shift changes, so the shift is left out.
 */
export const folded = (weights: Readonly<Record<string, Float32Array>>, { offset, scale }: Scaling): Readonly<Record<string, Float32Array>> => {
  const weight = weights["layer1.weight"]!, bias = weights["layer1.bias"], width = scale.length, out = weight.length / width
  const shift = new Float64Array(out)
  const own = Float32Array.from(weight, (value, at) => value / scale[Math.floor(at / out)]!)
  for (let i = 0; i < width; i++) for (let o = 0; o < out; o++) shift[o]! += offset[i]! * weight[i * out + o]! / scale[i]!
  return { ...weights, "layer1.weight": own, ...(bias === undefined ? {} : { "layer1.bias": Float32Array.from(bias, (value, o) => value - shift[o]!) }) }
}
