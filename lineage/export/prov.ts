/**
 * The lineage in W3C PROV-O (https://www.w3.org/TR/prov-o/) as JSON-LD: entities are tables, code and data files, activities are nodes,
 * agents are outcrop and the machines. An entity is the output of one node, told by the node's key: PROV allows an entity one generation
 * only, so two nodes that gave the same bytes gave two entities, with the same digest.
 */
import { digestOf, type Document } from "../../cache/canonical.ts"
import { closureOf } from "../../engine/closure-text.ts"
import { contentDigest } from "../equality.ts"
import type { FileEntry } from "./folder.ts"
import { uriOf } from "./paths.ts"
import type { NodeRecord } from "./record.ts"
import type { Subject } from "./subject.ts"

const reference = (id: string) => ({ "@id": id })
const activityOf = (key: string) => `urn:outcrop:node:${key}`
const tableId = (key: string, output: string) => `urn:outcrop:table:${key}:${encodeURIComponent(output)}`
const codeId = (digest: string) => `urn:outcrop:code:${digest}`
const roleOf = (port: string) => `urn:outcrop:port:${encodeURIComponent(port)}`
const time = (millis: number) => ({ "@type": "xsd:dateTime", "@value": new Date(millis).toISOString() })

export const provOf = ({ files, outcrop, records, subject: { graph, nodes, run } }: {
  readonly subject: Subject
  readonly records: ReadonlyArray<NodeRecord>
  readonly files: ReadonlyArray<FileEntry>
  readonly outcrop: string
}): object => {
  const software = `urn:outcrop:software:${run?.versions["outcrop"] ?? outcrop}`
  // several nodes may have come to one key: they are one activity
  const things = new Map<string, object>()
  const add = (id: string, thing: object) => {
    things.set(id, { "@id": id, ...thing })
    return reference(id)
  }
  add(software, { "@type": "prov:SoftwareAgent", "rdfs:label": `outcrop ${run?.versions["outcrop"] ?? outcrop}` })
  for (const [i, { address, up }] of graph.nodes.entries()) {
    const { action } = nodes[i]!, record = records[i]!
    if (action === undefined) continue
    const { key, preimage, seconds, started, trace } = action
    const used = up.flatMap(([port, node, output]) => {
      const from = graph.nodes[node]!.key
      return from === null ? [] : [{ entity: reference(tableId(from, output)), role: add(roleOf(port), { "@type": "prov:Role", "rdfs:label": port }) }]
    })
    if (trace !== undefined && Object.keys(trace).length > 0) {
      const id = `urn:outcrop:files:${digestOf("files", trace)}`
      used.push({
        entity: add(id, { "@type": ["prov:Entity", "prov:Collection"], "rdfs:label": `${Object.keys(trace).length} files and folders below the data root, listed with their digests in nodes.json` }),
        role: add(roleOf("files"), { "@type": "prov:Role", "rdfs:label": "files" })
      })
    }
    const digest = closureOf((preimage as { readonly code?: Document }).code)
    const file = files.find(({ path }) => path === record.code)
    const plan = digest === undefined ? undefined : add(codeId(digest), {
      "@type": ["prov:Entity", "prov:Plan"],
      "rdfs:label": `the code of ${action.uses}`,
      "outcrop:sha256": digest,
      ...(file === undefined ? {} : { "prov:atLocation": add(uriOf(file.path), { "@type": "prov:Location" }) })
    })
    add(activityOf(key), {
      "@type": "prov:Activity",
      "rdfs:label": address,
      "outcrop:implementation": action.uses,
      "outcrop:host": action.host,
      "prov:startedAtTime": time(Date.parse(started)),
      // nodes that ran together share their time: each is told its part of it
      "prov:endedAtTime": time(Date.parse(started) + seconds * 1000),
      ...(used.length === 0 ? {} : {
        "prov:used": used.map(({ entity }) => entity),
        "prov:qualifiedUsage": used.map(({ entity, role }) => ({ "@type": "prov:Usage", "prov:entity": entity, "prov:hadRole": role }))
      }),
      "prov:wasAssociatedWith": reference(software),
      "prov:qualifiedAssociation": { "@type": "prov:Association", "prov:agent": reference(software), ...(plan === undefined ? {} : { "prov:hadPlan": plan }) }
    })
    for (const [name, output] of Object.entries(action.outputs)) {
      const { csv, parquet } = record.outputs[name]!
      add(tableId(key, name), {
        "@type": "prov:Entity",
        "rdfs:label": `${name} of ${address}`,
        "outcrop:table": output.table,
        "outcrop:rows": output.rows,
        "outcrop:sha256": contentDigest(output),
        "prov:wasGeneratedBy": reference(activityOf(key)),
        ...(used.length === 0 ? {} : { "prov:wasDerivedFrom": used.map(({ entity }) => entity) }),
        ...(parquet === null ? {} : { "prov:atLocation": [parquet, ...(csv === null ? [] : [csv])].map((path) => add(uriOf(path), { "@type": "prov:Location" })) })
      })
    }
  }
  return {
    "@context": {
      prov: "http://www.w3.org/ns/prov#",
      rdfs: "http://www.w3.org/2000/01/rdf-schema#",
      xsd: "http://www.w3.org/2001/XMLSchema#",
      outcrop: "urn:outcrop:terms:"
    },
    "@graph": [...things.values()]
  }
}
