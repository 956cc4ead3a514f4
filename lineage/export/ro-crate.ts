/**
 * An export as an RO-Crate 1.1 (https://w3id.org/ro/crate/1.1): a JSON-LD document, flattened and compacted, that describes the folder, each
 * file with size and SHA-256, the pipeline as a workflow, and the run that made the tables.
 */
import type { FileEntry } from "./folder.ts"
import { uriOf } from "./paths.ts"
import type { Subject } from "./subject.ts"

const reference = (id: string) => ({ "@id": id })
/** JSON-LD in compacted form has a single value where there is one. */
const compact = <A>(list: ReadonlyArray<A>): A | ReadonlyArray<A> => list.length === 1 ? list[0]! : list

/** When the work of the results began and ended: of the run, else of the nodes. */
export const span = ({ nodes, run }: Subject): { readonly start: string; readonly end: string } | undefined => {
  const later = (started: string, seconds: number) => new Date(Date.parse(started) + seconds * 1000).toISOString()
  if (run !== undefined) return { start: run.started, end: later(run.started, run.seconds) }
  const actions = nodes.flatMap(({ action }) => action ?? [])
  const starts = actions.map(({ started }) => started).toSorted(), ends = actions.map(({ seconds, started }) => later(started, seconds)).toSorted()
  return starts.length === 0 ? undefined : { start: starts[0]!, end: ends.at(-1)! }
}

export const roCrateOf = ({ files, now, outcrop, pipelinePath, subject }: {
  readonly subject: Subject
  readonly files: ReadonlyArray<FileEntry>
  readonly outcrop: string
  readonly pipelinePath: string
  readonly now: Date
}): object => {
  const { graph, nodes, pipeline, run } = subject
  const action = `#run-${run?.id ?? "unrecorded"}`, software = `#outcrop-${outcrop}`, language = "#outcrop-pipeline"
  const failures = nodes.flatMap(({ message, state }, i) => state === "failed" ? [`${graph.nodes[i]!.address}: ${message}`] : [])
  const time = span(subject)
  const isCode = ({ path }: FileEntry) => path.startsWith("code/") || (path.startsWith("pipeline/") && path !== pipelinePath)
  return {
    // the context of version 1.1 has no term for digests; this is the one of schema.org, as in version 1.2
    "@context": ["https://w3id.org/ro/crate/1.1/context", { sha256: "http://schema.org/sha256" }],
    "@graph": [
      { "@id": "ro-crate-metadata.json", "@type": "CreativeWork", conformsTo: reference("https://w3id.org/ro/crate/1.1"), about: reference("./") },
      {
        "@id": "./",
        "@type": "Dataset",
        name: `Results of the pipeline ${pipeline.name}`,
        description: `${nodes.length} nodes of ${graph.cells} ${graph.cells === 1 ? "cell" : "cells"} of an outcrop pipeline: parameters, code, tables, lineage, and what is needed to compute them again (README.md).`,
        datePublished: now.toISOString().slice(0, 10),
        license: "No licence has been chosen. Whoever publishes this folder states here under which terms it may be used.",
        hasPart: compact(files.map(({ path }) => reference(uriOf(path)))),
        mainEntity: reference(uriOf(pipelinePath)),
        mentions: reference(action)
      },
      ...files.map((file) => ({
        "@id": uriOf(file.path),
        "@type": file.path === pipelinePath ? ["File", "SoftwareSourceCode", "ComputationalWorkflow"] : isCode(file) ? ["File", "SoftwareSourceCode"] : "File",
        name: file.path === pipelinePath ? pipeline.name : file.name,
        description: file.description,
        contentSize: String(file.bytes),
        encodingFormat: file.mediaType,
        sha256: file.sha256,
        ...(file.path === pipelinePath ? { programmingLanguage: reference(language) } : {})
      })),
      { "@id": language, "@type": "ComputerLanguage", name: "outcrop pipeline (YAML)", version: outcrop, url: "https://yaml.org/spec/1.2.2/" },
      { "@id": software, "@type": "SoftwareApplication", name: "outcrop", version: run?.versions["outcrop"] ?? outcrop, softwareRequirements: `Node.js ${run?.versions["node"] ?? process.versions.node}` },
      {
        "@id": action,
        "@type": "CreateAction",
        name: run === undefined ? `The run of ${pipeline.name} is not on record` : `outcrop ${run.asked.join(" ")}`,
        ...(time === undefined ? {} : { startTime: time.start, endTime: time.end }),
        instrument: reference(software),
        object: reference(uriOf(pipelinePath)),
        ...(files.some(({ path }) => path.startsWith("tables/")) ? { result: compact(files.filter(({ path }) => path.startsWith("tables/")).map(({ path }) => reference(uriOf(path)))) } : {}),
        actionStatus: reference(failures.length > 0 ? "http://schema.org/FailedActionStatus" : "http://schema.org/CompletedActionStatus"),
        ...(failures.length > 0 ? { error: failures.join("\n") } : {})
      }
    ]
  }
}
