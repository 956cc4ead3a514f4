/** A loss's parameters as it gets them: numbers become scalars of the graph, so that variants which differ in them share it. */
import type * as tfjs from "@tensorflow/tfjs-core"

/** The type of a parameter once its numbers are scalars. Texts and booleans stay what they are. */
export type Lifted<P> = P extends number ? tfjs.Scalar
  : P extends string | boolean | null | undefined ? P
  : P extends ReadonlyArray<infer E> ? ReadonlyArray<Lifted<E>>
  : { readonly [K in keyof P]: Lifted<P[K]> }

type Number = (path: string, value: number) => unknown
const walk = (value: unknown, path: string, number: Number): unknown => {
  if (typeof value === "number") return number(path, value)
  if (Array.isArray(value)) return value.map((entry, i) => walk(entry, `${path}.${i}`, number))
  if (typeof value === "object" && value !== null) return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, walk(entry, path === "" ? key : `${path}.${key}`, number)]))
  return value
}

/** The numbers among parameters, by path ("tasks.class"); those below a name in `fixed` shape the graph and are left out. */
export const numbersOf = (parameters: object, fixed: ReadonlyArray<string>): Readonly<Record<string, number>> => {
  const found: Record<string, number> = {}
  for (const [name, value] of Object.entries(parameters)) if (!fixed.includes(name)) walk(value, name, (path, number) => found[path] = number)
  return found
}

/** Parameters with every number replaced, except below the names in `fixed`. */
export const replaceNumbers = (parameters: object, fixed: ReadonlyArray<string>, number: Number): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, fixed.includes(name) ? value : walk(value, name, number)]))
