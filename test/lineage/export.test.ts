/** An export held against the schemas that others have published: RO-Crate 1.1, PROV-O, OpenLineage. */
import { hash } from "node:crypto"
import * as fs from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Folder, removeFolders } from "../pipeline.ts"
import { type Json, Schemas } from "./json-schema.ts"

const pipeline = `
name: tiny
axes:
  method:
    base: { uses: train/none }
    dtl: { uses: train/triplet, with: { tasks: { class: 1 }, epochs: 2 } }
    wrong: { uses: ./wrong.ts }
replicates: { fold: [0, 1] }
stages:
  samples: { uses: ingest/synthetic, with: { samples: 24, size: 16 } }
  split: { uses: ingest/split, needs: samples, with: { by: [label], test: 0.5, folds: 2, fold: $fold } }
  embed: { uses: embed/statistics, needs: samples }
  classes: { uses: mine/classes, needs: samples }
  train: { uses: $method.uses, needs: { embeddings: embed, annotations: classes, split }, with: $method.with }
  probe: { uses: probe/linear, needs: { embeddings: train, samples, split } }
`
/** A training that always fails. */
const wrong = `
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Embeddings, Stage } from "outcrop"
export default Stage.make({
  name: "train/wrong", version: 1, summary: "fails", with: Schema.Struct({}),
  needs: { embeddings: Stage.needs(Embeddings) }, gives: { embeddings: Embeddings },
  run: () => Effect.fail(new Stage.StageError({ message: "it diverges: lower the rate" }))
})
`
type Entity = { readonly "@id": string; readonly "@type": string | ReadonlyArray<string>; readonly [property: string]: unknown }

const folder = new Folder({ "tiny.yaml": pipeline, "wrong.ts": wrong })
/** All finished, and one where a method failed. */
const good = () => folder.at("good"), bad = () => folder.at("bad")
const read = (file: string): Json => JSON.parse(fs.readFileSync(file, "utf8")) as Json
const graphOf = (file: string) => (read(file) as unknown as { readonly "@graph": ReadonlyArray<Entity>; readonly "@context": unknown })
const published = (name: string) => new URL(`../fixtures/published/${name}`, import.meta.url)

beforeAll(async () => {
  await folder.outcrop("run", "tiny.yaml")
  for (const words of [["method=base,dtl", "good"], ["fold=0", "bad"]]) {
    const { code, err } = await folder.outcrop("export", "tiny.yaml", ...words, "--openlineage")
    if (code !== 0) throw new Error(err)
  }
}, 60_000)
afterAll(removeFolders)

/** What an entity refers to, at any depth. */
const references = (value: unknown): ReadonlyArray<string> =>
  Array.isArray(value) ? value.flatMap(references) : typeof value === "object" && value !== null ? "@id" in value ? [String(value["@id"])] : Object.values(value).flatMap(references) : []
const typesOf = (entity: Entity) => [entity["@type"]].flat()

describe.each([["that is whole", good], ["with a failed node", bad]])("an export %s as RO-Crate 1.1", (_, at) => {
  const crate = () => graphOf(`${at()}/ro-crate-metadata.json`)
  const entity = (id: string) => crate()["@graph"].find((each) => each["@id"] === id)!

  it("describes itself: the metadata file is a CreativeWork about ./ that conforms to 1.1", () => {
    const descriptor = entity("ro-crate-metadata.json")
    expect(descriptor["@type"]).toBe("CreativeWork")
    expect(descriptor["conformsTo"]).toEqual({ "@id": "https://w3id.org/ro/crate/1.1" })
    expect(descriptor["about"]).toEqual({ "@id": "./" })
  })

  it("has a root Dataset with name, description, ISO 8601 datePublished and a license", () => {
    const root = entity("./")
    expect(root["@type"]).toBe("Dataset")
    for (const property of ["name", "description", "license"]) expect(root[property], property).toMatch(/\w/)
    expect(root["datePublished"]).toMatch(/^\d{4}-\d\d-\d\d$/)
  })

  it("is flattened JSON-LD: entities stand in @graph once, with @id and @type, and refer to each other by @id alone", () => {
    const { "@graph": graph } = crate()
    expect(new Set(graph.map((each) => each["@id"])).size).toBe(graph.length)
    for (const each of graph) {
      expect(typesOf(each).length, each["@id"]).toBeGreaterThan(0)
      for (const [property, value] of Object.entries(each)) {
        for (const item of [value].flat()) if (typeof item === "object") expect(Object.keys(item as object), `${each["@id"]} ${property}`).toEqual(["@id"])
      }
    }
  })

  it("is compacted: lists of one entity are that entity", () => {
    for (const each of crate()["@graph"]) for (const [property, value] of Object.entries(each)) if (Array.isArray(value)) expect(value.length, `${each["@id"]} ${property}`).toBeGreaterThan(1)
  })

  it("uses only terms of the published context and those it declares", () => {
    const { "@context": context, "@graph": graph } = crate()
    const [url, own] = context as readonly [string, Readonly<Record<string, string>>]
    expect(url).toBe("https://w3id.org/ro/crate/1.1/context")
    const { "@context": terms } = read(published("ro-crate-1.1-context.json").pathname) as { readonly "@context": Readonly<Record<string, string>> }
    for (const [term, iri] of Object.entries(own)) {
      expect(terms[term], `${term} is in the context already`).toBeUndefined()
      expect(iri).toMatch(/^https?:/)
    }
    for (const each of graph) {
      for (const term of [...typesOf(each), ...Object.keys(each).filter((name) => !name.startsWith("@"))]) expect({ ...terms, ...own }[term], `${each["@id"]}: ${term}`).toBeDefined()
    }
  })

  it("refers to nothing that it does not describe, but for URLs; every entity is referred to", () => {
    const { "@graph": graph } = crate()
    const known = new Set(graph.map((each) => each["@id"]))
    const referred = new Set(graph.flatMap(({ "@id": _, ...rest }) => references(rest)))
    expect([...referred].filter((id) => !known.has(id) && !/^https?:/.test(id))).toEqual([])
    expect([...known].filter((id) => !referred.has(id))).toEqual(["ro-crate-metadata.json"])
  })

  it("lists every file as a part of the root: a File with its size, media type and SHA-256, under a valid relative URI", () => {
    const parts = references(entity("./")["hasPart"])
    const files = crate()["@graph"].filter((each) => typesOf(each).includes("File"))
    expect(files.map((file) => file["@id"]).toSorted()).toEqual(parts.toSorted())
    for (const file of files) {
      expect(file["@id"]).toMatch(/^(?!\/)(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})+$/)
      const bytes = fs.readFileSync(`${at()}/${decodeURIComponent(file["@id"])}`)
      expect(file).toMatchObject({ contentSize: String(bytes.length), sha256: hash("sha256", bytes, "hex"), encodingFormat: expect.stringMatching(/^[a-z]+\/[a-z0-9.+-]+$/) })
    }
    const there = fs.readdirSync(at(), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length
    expect(there).toBe(files.length + 1)
  })

  it("has the pipeline as its main workflow, with a language that has name, url and version", () => {
    const workflow = entity(references(entity("./")["mainEntity"])[0]!)
    expect(typesOf(workflow)).toEqual(["File", "SoftwareSourceCode", "ComputationalWorkflow"])
    expect(workflow["name"]).toBe("tiny")
    const language = entity(references(workflow["programmingLanguage"])[0]!)
    expect(typesOf(language)).toContain("ComputerLanguage")
    for (const property of ["name", "url", "version"]) expect(language[property], property).toMatch(/\w/)
  })

  it("has the run as a CreateAction: instrument a SoftwareApplication with a version, object and result among the files, ISO 8601 times", () => {
    const action = crate()["@graph"].find((each) => typesOf(each).includes("CreateAction"))!
    expect(entity(references(action["instrument"])[0]!)).toMatchObject({ "@type": "SoftwareApplication", name: "outcrop", version: expect.stringMatching(/^\d+\.\d+\.\d+/) })
    const parts = new Set(references(entity("./")["hasPart"]))
    for (const id of [...references(action["object"]), ...references(action["result"])]) expect(parts).toContain(id)
    expect(references(action["result"]).length).toBeGreaterThan(4)
    for (const time of ["startTime", "endTime"]) expect(action[time]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect(String(action["startTime"]) <= String(action["endTime"])).toBe(true)
    expect(action["name"]).toBe("outcrop run tiny.yaml")
  })
})

it("an RO-Crate of a failed run says so, with the error", () => {
  const status = (at: string) => graphOf(`${at}/ro-crate-metadata.json`)["@graph"].find((each) => each["@type"] === "CreateAction")!
  expect(status(good())).toMatchObject({ actionStatus: { "@id": "http://schema.org/CompletedActionStatus" } })
  expect(status(good())).not.toHaveProperty("error")
  expect(status(bad())).toMatchObject({ actionStatus: { "@id": "http://schema.org/FailedActionStatus" }, error: expect.stringContaining("train method=wrong fold=0: it diverges: lower the rate") })
})

describe.each([["that is whole", good], ["with a failed node", bad]])("an export %s in PROV-O", (_, at) => {
  interface Ontology {
    readonly classes: Readonly<Record<string, { readonly subClassOf: ReadonlyArray<string>; readonly disjointWith: ReadonlyArray<string> }>>
    readonly properties: Readonly<Record<string, { readonly kind: "object" | "data"; readonly domain: ReadonlyArray<string>; readonly range: ReadonlyArray<string> }>>
  }
  const ontology = read(published("prov-o.json").pathname) as unknown as Ontology
  const graph = () => graphOf(`${at()}/prov.jsonld`)["@graph"]
  const provTypes = (types: string | ReadonlyArray<string>) => [types].flat().map((type) => type.replace(/^prov:/, ""))
  const above = (name: string): ReadonlyArray<string> => [name, ...(ontology.classes[name]?.subClassOf ?? []).flatMap(above)]
  const isA = (types: string | ReadonlyArray<string>, wanted: ReadonlyArray<string>) => wanted.length === 0 || provTypes(types).flatMap(above).some((name) => wanted.includes(name))
  /** Entities, and the nested ones that have no id. */
  const all = () => graph().flatMap((each) => [each, ...Object.values(each).flat().filter((value): value is Entity => typeof value === "object" && value !== null && "@type" in value && !("@value" in value))])

  it("uses only classes and properties of the ontology under prov:", () => {
    for (const each of all()) {
      for (const type of provTypes(each["@type"])) expect(ontology.classes, type).toHaveProperty(type)
      for (const name of Object.keys(each)) if (name.startsWith("prov:")) expect(ontology.properties, name).toHaveProperty(name.slice(5))
    }
  })

  it("keeps the domain and range of every property, and disjoint classes apart", () => {
    const byId = new Map(graph().map((each) => [each["@id"], each]))
    for (const each of all()) {
      const classes = provTypes(each["@type"]).flatMap(above)
      for (const name of classes) expect(classes.filter((other) => ontology.classes[name]!.disjointWith.includes(other)), `${each["@id"]} is a ${name}`).toEqual([])
      for (const [name, value] of Object.entries(each)) {
        if (!name.startsWith("prov:")) continue
        const property = ontology.properties[name.slice(5)]!
        expect(isA(each["@type"], property.domain), `${each["@id"]} ${name}: domain ${property.domain.join()}`).toBe(true)
        for (const item of [value].flat() as ReadonlyArray<Entity & { readonly "@value"?: string }>) {
          if (property.kind === "data") {
            expect(property.range).toContain(item["@type"])
            expect(new Date(item["@value"]!).toISOString()).toBe(item["@value"])
          } else {
            const target = item["@type"] === undefined ? byId.get(item["@id"]) : item
            expect(target, `${name} refers to ${item["@id"]}`).toBeDefined()
            expect(isA(target!["@type"], property.range), `${name} -> ${item["@id"]}: range ${property.range.join()}`).toBe(true)
          }
        }
      }
    }
  })

  it("has an activity for every finished node and an entity, generated once, for each of its tables", () => {
    const { nodes } = read(`${at()}/nodes.json`) as unknown as { readonly nodes: ReadonlyArray<{ readonly key: string | null; readonly outputs: object }> }
    const finished = new Map(nodes.flatMap(({ key, outputs }) => key === null ? [] : [[key, Object.keys(outputs).length]]))
    const activities = graph().filter((each) => each["@type"] === "prov:Activity")
    expect(activities.length).toBe(finished.size)
    expect(graph().filter((each) => "prov:wasGeneratedBy" in each).length).toBe([...finished.values()].reduce((a, b) => a + b))
    for (const each of graph()) if ("prov:wasGeneratedBy" in each) expect(references(each["prov:wasGeneratedBy"])).toHaveLength(1)
    for (const each of activities) expect(Date.parse((each["prov:startedAtTime"] as { readonly "@value": string })["@value"])).toBeLessThanOrEqual(Date.parse((each["prov:endedAtTime"] as { readonly "@value": string })["@value"]))
  })

  it("leads from the metrics back to the samples by wasDerivedFrom", () => {
    const byId = new Map(graph().map((each) => [each["@id"], each]))
    const behind = (id: string): ReadonlyArray<string> => [id, ...references(byId.get(id)!["prov:wasDerivedFrom"]).flatMap(behind)]
    const metrics = graph().filter((each) => each["outcrop:table"] === "metrics")
    expect(metrics.length).toBeGreaterThan(0)
    for (const each of metrics) expect(behind(each["@id"]).map((id) => byId.get(id)!["outcrop:table"])).toEqual(expect.arrayContaining(["samples", "split", "embeddings"]))
  })

  it("locates tables in files that are there", () => {
    const places = graph().filter((each) => each["@type"] === "prov:Location").map((each) => each["@id"])
    expect(places.length).toBeGreaterThan(4)
    for (const place of places) expect(fs.existsSync(`${at()}/${decodeURIComponent(place)}`), place).toBe(true)
  })
})

describe.each([["that is whole", good], ["with a failed node", bad]])("an export %s as OpenLineage events", (_, at) => {
  const schemas = new Schemas(published("openlineage/"))
  interface Event {
    readonly eventType: string
    readonly eventTime: string
    readonly run: { readonly runId: string; readonly facets: Readonly<Record<string, { readonly _schemaURL: string }>> }
    readonly inputs: ReadonlyArray<{ readonly namespace: string; readonly name: string }>
    readonly outputs: ReadonlyArray<{ readonly namespace: string; readonly name: string }>
  }
  const lines = () => fs.readFileSync(`${at()}/openlineage.ndjson`, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line) as Json)
  const events = () => lines() as unknown as ReadonlyArray<Event>
  /** Every facet, wherever it stands. */
  const facets = (value: Json): ReadonlyArray<readonly [url: string, facet: Json]> => {
    if (Array.isArray(value)) return (value as ReadonlyArray<Json>).flatMap(facets)
    if (typeof value !== "object" || value === null) return []
    const inner = Object.values(value).flatMap((each) => facets(each))
    return "_schemaURL" in value ? [[String((value as { readonly _schemaURL: Json })._schemaURL), value], ...inner] : inner
  }

  it("is valid under the published schema, and every facet under its own", () => {
    expect(lines().length).toBeGreaterThan(8)
    const seen = new Set<string>()
    for (const event of lines()) {
      expect(schemas.mistakes("https://openlineage.io/spec/2-0-2/OpenLineage.json", event)).toEqual([])
      expect(schemas.mistakes("https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent", event)).toEqual([])
      for (const [url, facet] of facets(event)) {
        seen.add(url.split("/").at(-1)!)
        expect(schemas.mistakes(url, facet), url).toEqual([])
      }
    }
    expect([...seen].toSorted()).toEqual([
      "DatasetVersionDatasetFacet", ...(at === bad ? ["ErrorMessageRunFacet"] : []), "JobTypeJobFacet", "OutputStatisticsOutputDatasetFacet", "ParentRunFacet", "ProcessingEngineRunFacet", "SchemaDatasetFacet"
    ])
  })

  it("has one START and one end for every run, in that order", () => {
    const byRun = Map.groupBy(events(), ({ run }) => run.runId)
    for (const [id, [start, end, ...more]] of byRun) {
      expect(more, id).toEqual([])
      expect(start!.eventType).toBe("START")
      expect(["COMPLETE", "FAIL"]).toContain(end!.eventType)
      expect(start!.eventTime <= end!.eventTime).toBe(true)
    }
    expect(events().filter(({ eventType }) => eventType === "FAIL").length).toBe(at === bad ? 1 : 0)
  })

  it("takes in only what another run gave", () => {
    const given = new Set(events().flatMap(({ outputs }) => outputs.map(({ name, namespace }) => `${namespace} ${name}`)))
    for (const { inputs } of events()) for (const { name, namespace } of inputs) expect(given).toContain(`${namespace} ${name}`)
  })
})

it("the validator finds what is wrong", () => {
  const schemas = new Schemas(published("openlineage/")), url = "https://openlineage.io/spec/2-0-2/OpenLineage.json"
  const event = { eventTime: "2026-01-02T03:04:05Z", producer: "urn:x:y", schemaURL: `${url}#/$defs/RunEvent`, eventType: "START", run: { runId: "6dacf4de-c0bb-89b1-a950-d50ca7908dc6" }, job: { namespace: "a", name: "b" } }
  expect(schemas.mistakes(url, event)).toEqual([])
  for (const bad of [{ ...event, eventType: "BEGIN" }, { ...event, run: { runId: "1" } }, { ...event, eventTime: "yesterday" }, { ...event, job: { name: "b" } }, { ...event, producer: "no uri" }, { ...event, inputs: [{ name: "x" }] }, { ...event, run: { ...event.run, facets: { own: {} } } }]) {
    expect(schemas.mistakes(url, bad as Json), JSON.stringify(bad)).not.toEqual([])
  }
})
