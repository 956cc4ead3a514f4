/**
 * A pipeline: one YAML file that declares data, axes, replicates, stages and the report. This is its schema; `outcrop schema` prints it as
 * JSON Schema for editors. What a name refers to is checked when the grid is expanded (`engine/expand.ts`).
 */
import * as Effect from "effect/Effect"
import * as JsonSchema from "effect/JsonSchema"
import * as Schema from "effect/Schema"

/** Names of stages and axes. */
export const namePattern = /^[a-z][a-z0-9_-]*$/u
const Name = Schema.String.check(Schema.isPattern(namePattern, { expected: "a name: lower-case letters, digits, - and _, a letter first" }))

const Scalar = Schema.Union([Schema.String, Schema.Finite, Schema.Boolean, Schema.Null])
const Mapping = Schema.Record(Schema.String, Schema.Unknown)

const Axis = Schema.Union([
  Schema.NonEmptyArray(Scalar).annotate({ description: "a plain list of values" }),
  Schema.Record(Schema.String, Schema.Unknown).annotate({ description: "named values; `axes` inside one are axes that only it has" })
]).annotate({ expected: "a list of values, or a mapping of named values" })
const Axes = Schema.Record(Name, Axis)

const optional = <S extends Schema.Top>(schema: S, value: S["Encoded"]) => schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value)))

const Stage = Schema.Struct({
  uses: Schema.NonEmptyString.annotate({ description: "a built-in (probe/linear), a TypeScript file (./stages/my-loss.ts), <kind>/command, or $axis.uses" }),
  needs: Schema.optionalKey(Schema.Union([Schema.NonEmptyString, Schema.Record(Schema.String, Schema.NullOr(Schema.NonEmptyString))]).annotate({
    description: "a stage, or a mapping from port to stage or stage.port",
    expected: "a stage's name, or a mapping from port to stage"
  })),
  with: Schema.optionalKey(Schema.Union([Schema.String, Mapping]).annotate({ description: "the stage's parameters, or $axis.with", expected: "a mapping of parameters, or $axis.with" }))
}).annotate({ identifier: "Stage" })

const Choice = Schema.Record(Schema.String, Schema.Union([Scalar, Schema.Array(Scalar)]))

const Report = Schema.Struct({
  baseline: Schema.optionalKey(Choice.annotate({ description: "the cells that others are compared with" })),
  metrics: Schema.optionalKey(Schema.NonEmptyArray(Schema.NonEmptyString).annotate({ description: "task.metric, in the order of the table's columns" })),
  pooled: Schema.optionalKey(Schema.NonEmptyArray(Schema.NonEmptyString).annotate({
    description: "task.metric computed once over the test predictions of all replicates together (leave-one-out splits), not averaged"
  })),
  columns: Schema.optionalKey(Name.annotate({ description: "an axis whose values stand side by side, a column each for every metric, instead of as rows (split: random beside spatial)" })),
  split: optional(Schema.Literals(["train", "val", "test"]), "test"),
  heatmap: Schema.optionalKey(Schema.Struct({
    x: Name,
    y: Name,
    metric: Schema.NonEmptyString,
    where: Schema.optionalKey(Choice)
  }))
}).annotate({ identifier: "Report" })

export const Pipeline = Schema.Struct({
  name: Name.annotate({ description: "name of the pipeline; its history is kept under it" }),
  data: Schema.optionalKey(Schema.Struct({ root: Schema.NonEmptyString.annotate({ description: "folder of the data, relative to this file (default: its own folder); --data overrides it" }) })),
  axes: optional(Axes.annotate({ description: "dimensions of the grid" }), {}),
  replicates: optional(Axes.annotate({ description: "axes that metrics are averaged over (seed, fold), never compared along" }), {}),
  exclude: optional(Schema.Array(Choice).annotate({ description: "cells to leave out" }), []),
  stages: Schema.Record(Name, Stage),
  report: optional(Report, {})
}).annotate({ identifier: "Pipeline", description: "an outcrop pipeline" })
export type Pipeline = typeof Pipeline.Type

/** JSON Schema (draft 07) of pipeline files, for yaml-language-server. */
export const pipelineJsonSchema = (): object => {
  const { schema, definitions } = JsonSchema.toDocumentDraft07(Schema.toJsonSchemaDocument(Pipeline, { onExcessProperty: "error" }))
  return { $schema: "http://json-schema.org/draft-07/schema#", ...schema, definitions }
}
