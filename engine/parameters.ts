/** The parameters of a stage, as JSON Schema tells them: for the command that lists them, and for what is misspelt within one. */
import * as Schema from "effect/Schema"
import type { Path } from "../schemas/diagnostic.ts"
import type { Stage } from "../stages/stage.ts"

export interface Property {
  readonly description?: string
  readonly default?: unknown
  readonly type?: string
  readonly enum?: ReadonlyArray<unknown>
  readonly anyOf?: ReadonlyArray<Property>
  readonly items?: Property
  readonly $ref?: string
  readonly properties?: Readonly<Record<string, Property>>
  readonly required?: ReadonlyArray<string>
}

/** All parameters, as one object. */
export const parametersOf = (stage: Stage): Property => (Schema.toJsonSchemaDocument(stage.with) as { readonly schema: Property }).schema

/** What a property may hold keys of: itself, its alternatives, the entries of a list. */
export const partsOf = (property: Property): ReadonlyArray<Property> => [property, ...(property.anyOf ?? []).flatMap(partsOf), ...(property.items === undefined ? [] : partsOf(property.items))]

/** The keys that are possible at a path below the parameters. */
export const keysAt = (stage: Stage, path: Path): ReadonlyArray<string> => {
  const named = path.filter((key) => typeof key === "string")
  const there = named.reduce<ReadonlyArray<Property>>((properties, key) => properties.flatMap(partsOf).flatMap((property) => property.properties?.[key] ?? []), [parametersOf(stage)])
  return [...new Set(there.flatMap(partsOf).flatMap(({ properties = {} }) => Object.keys(properties)))]
}
