import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { pipelineJsonSchema } from "../../schemas/pipeline.ts"

interface Definition {
  readonly $ref?: string
  readonly additionalProperties?: unknown
  readonly properties?: Readonly<Record<string, unknown>>
}

describe("the JSON Schema of pipeline files", () => {
  const checkedIn = JSON.parse(readFileSync(new URL("../../schemas/pipeline.schema.json", import.meta.url), "utf8")) as Definition & { readonly definitions: Readonly<Record<string, Definition>> }

  it("the file that editors read is current (else: npm run -s outcrop -- schema > schemas/pipeline.schema.json)", () => {
    expect(checkedIn).toEqual(JSON.parse(JSON.stringify(pipelineJsonSchema())))
  })

  it("knows every key of a pipeline, and flags others", () => {
    const pipeline = checkedIn.definitions["Pipeline"]!
    expect(checkedIn.$ref).toBe("#/definitions/Pipeline")
    expect(Object.keys(pipeline.properties!).toSorted()).toEqual(["axes", "data", "exclude", "name", "replicates", "report", "stages"])
    expect(pipeline.additionalProperties).toBe(false)
  })
})
