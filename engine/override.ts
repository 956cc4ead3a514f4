/** `--set axis=value`: replaces the values of an axis for one run. Named values are chosen by name, others read as YAML. */
import { parse } from "yaml"
import { InvalidPipeline } from "../schemas/diagnostic.ts"
import { suggest } from "../schemas/spelling.ts"
import type { Pipeline } from "../schemas/pipeline.ts"
import type { PipelineFile } from "./source.ts"

type Axes = Readonly<Record<string, unknown>>
const isMapping = (value: unknown): value is Axes => typeof value === "object" && value !== null && !Array.isArray(value)

/** The file with the settings applied to its axes, to nested ones too. Throws `InvalidPipeline`. */
export const override = (file: PipelineFile, settings: ReadonlyArray<string>): PipelineFile => {
  let changed = file.pipeline
  for (const setting of settings) {
    const at = setting.indexOf("=")
    if (at < 1) throw new InvalidPipeline({ message: `--set takes axis=value, got "${setting}"` })
    const name = setting.slice(0, at), texts = setting.slice(at + 1).split(",")
    const names = new Set<string>()
    let hits = 0
    const replace = (axes: Axes): Axes => Object.fromEntries(Object.entries(axes).map(([axis, values]) => {
      names.add(axis)
      if (axis === name) {
        hits++
        if (!isMapping(values)) return [axis, texts.map((text): unknown => parse(text))]
        const missing = texts.find((text) => !(text in values))
        if (missing !== undefined) throw new InvalidPipeline({ message: `--set ${setting}: the axis "${name}" has no value ${missing}${suggest(missing, Object.keys(values))}; it has ${Object.keys(values).join(", ")}` })
        return [axis, Object.fromEntries(texts.map((text) => [text, values[text]]))]
      }
      if (!isMapping(values)) return [axis, values]
      return [axis, Object.fromEntries(Object.entries(values).map(([label, value]) => [label, isMapping(value) && isMapping(value["axes"]) ? { ...value, axes: replace(value["axes"]) } : value]))]
    }))
    changed = { ...changed, axes: replace(changed.axes) as Pipeline["axes"], replicates: replace(changed.replicates) as Pipeline["replicates"] }
    if (hits === 0) throw new InvalidPipeline({ message: `--set ${setting}: there is no axis "${name}"${suggest(name, names)}; axes are ${[...names].join(", ")}` })
  }
  return settings.length === 0 ? file : { ...file, pipeline: changed, narrowed: true }
}
