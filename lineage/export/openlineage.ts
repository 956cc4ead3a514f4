/**
 * The lineage as OpenLineage events (https://openlineage.io, schema 2-0-2), one JSON document a line: a START for every node, and a COMPLETE
 * or a FAIL. Runs are told by UUIDs made of the nodes' keys, so exporting twice gives the same events.
 */
import { hash } from "node:crypto"
import type { Output } from "../../cache/action.ts"
import { contentDigest } from "../equality.ts"
import type { Subject } from "./subject.ts"

const schema = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
const facets = "https://openlineage.io/spec/facets"

/** A UUID of version 8 (RFC 9562: of the maker's own design) from a digest. */
const uuidOf = (text: string): string => {
  const digest = hash("sha256", text, "hex")
  const variant = ((Number.parseInt(digest[16]!, 16) & 3) | 8).toString(16)
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-${variant}${digest.slice(17, 20)}-${digest.slice(20, 32)}`
}

/** The events as NDJSON. */
export const openLineageOf = ({ graph, nodes, pipeline, run }: Subject, outcrop: string): string => {
  const producer = `urn:outcrop:${run?.versions["outcrop"] ?? outcrop}`, namespace = "outcrop"
  const facet = (name: string, version: string, content: object) => ({ _producer: producer, _schemaURL: `${facets}/${version}/${name}.json#/$defs/${name}`, ...content })
  const dataset = (key: string, name: string, output: Output) => ({
    namespace,
    name: `${pipeline.name}/${key}/${name}`,
    facets: {
      schema: facet("SchemaDatasetFacet", "1-2-0", { fields: Object.entries(output.columns).map(([column, { kind }], i) => ({ name: column, type: kind, ordinal_position: i + 1 })) }),
      version: facet("DatasetVersionDatasetFacet", "1-0-1", { datasetVersion: contentDigest(output) })
    }
  })
  const events: Array<object> = []
  const told = new Set<string>()
  for (const [i, { address, key, up }] of graph.nodes.entries()) {
    const { action, message, state } = nodes[i]!
    const started = action?.started ?? run?.started
    // what never began has no events; nodes that came to one key are one run
    if (started === undefined || state === "skipped" || state === "lost" || (key !== null && told.has(key))) continue
    if (key !== null) told.add(key)
    const inputs = up.flatMap(([, node, output]) => {
      const from = nodes[node]!.action, table = from?.outputs[output]
      return from === undefined || table === undefined ? [] : [dataset(from.key, output, table)]
    })
    const runFacets = {
      processing_engine: facet("ProcessingEngineRunFacet", "1-1-1", { name: "outcrop", version: run?.versions["outcrop"] ?? outcrop }),
      ...(run === undefined ? {} : { parent: facet("ParentRunFacet", "1-2-0", { run: { runId: uuidOf(`run ${run.id}`) }, job: { namespace, name: pipeline.name } }) })
    }
    const common = (eventType: string, eventTime: string) => ({ eventType, eventTime, producer, schemaURL: schema })
    const runId = uuidOf(key ?? `${run?.id ?? ""} ${address}`)
    const job = { namespace, name: `${pipeline.name}/${address}`, facets: { jobType: facet("JobTypeJobFacet", "2-0-4", { processingType: "BATCH", integration: "OUTCROP", jobType: "STAGE" }) } }
    events.push({ ...common("START", started), run: { runId, facets: runFacets }, job, inputs, outputs: [] })
    if (action === undefined) {
      const errorMessage = facet("ErrorMessageRunFacet", "1-0-1", { message: message ?? "it failed", programmingLanguage: "JavaScript" })
      events.push({ ...common("FAIL", started), run: { runId, facets: { ...runFacets, errorMessage } }, job, inputs, outputs: [] })
      continue
    }
    const outputs = Object.entries(action.outputs).map(([name, output]) => ({
      ...dataset(action.key, name, output),
      outputFacets: { outputStatistics: facet("OutputStatisticsOutputDatasetFacet", "1-0-2", { rowCount: output.rows, size: output.bytes }) }
    }))
    events.push({ ...common("COMPLETE", new Date(Date.parse(started) + action.seconds * 1000).toISOString()), run: { runId, facets: runFacets }, job, inputs, outputs })
  }
  return events.map((event) => `${JSON.stringify(event)}\n`).join("")
}
