/** Broken YAML: each mistake at its line and column, with what was expected; several at once. */
import { describe, expect, it } from "vitest"
import { wrongIn } from "./shelf.ts"

const good = `name: p
axes:
  method: [train/none, train/guided]
stages:
  samples: { uses: ingest/list }
  embed: { uses: embed/size, needs: samples }
  train: { uses: $method, needs: { embeddings: embed, annotations: guide.second }, with: {} }
  guide: { uses: mine/guide, needs: samples }
  probe: { uses: probe/count, needs: train }
`
const cases: ReadonlyArray<readonly [what: string, from: string, to: string, message: RegExp]> = [
  ["no YAML at all", "axes:", "axes: [", /^p\.yaml:\d+:\d+ /],
  ["a tab for indentation", "  method:", "\tmethod:", /^p\.yaml:3:1 /],
  ["a duplicate key", "  embed: {", "  samples: {", /^p\.yaml:6:3 .*unique/i],
  ["an unknown tag", "uses: ingest/list", "uses: !stage ingest/list", /^p\.yaml:5:20 .*!stage/],
  ["an unknown key", "stages:", "stgaes:", /p\.yaml:4:1 stgaes: unknown key "stgaes" \(did you mean "stages"\?\); known: name, data, axes/],
  ["a missing key", "name: p\n", "", /^p\.yaml:1:1 missing key "name"/],
  ["an unknown key of a stage", "needs: samples }", "need: samples }", /^p\.yaml:6:30 stages\.embed\.need: unknown key "need" \(did you mean "needs"\?\); known: uses, needs, with/],
  ["a name in upper case", "name: p", "name: P", /^p\.yaml:1:7 name: .*lower-case letters/],
  ["an axis that is a number", "[train/none, train/guided]", "3", /^p\.yaml:3:11 axes\.method: .*list of values, or a mapping/],
  ["an integer beyond 2^53", "with: {}", "with: { top: 9007199254740993 }", /^p\.yaml:7:97 .*the integer 9007199254740993 is beyond 2\^53/],
  ["a stage that is not there", "uses: embed/size", "uses: embed/sise", /^p\.yaml:6:18 stages\.embed\.uses: there is no stage "embed\/sise" \(did you mean "embed\/size"\?\)/],
  ["needs that are not there", "needs: samples }", "needs: sampels }", /^p\.yaml:6:37 stages\.embed\.needs: there is no stage "sampels" \(did you mean "samples"\?\); stages are samples, embed, train, guide, probe/],
  ["an axis that is not there", "uses: $method", "uses: $mehtod", /^p\.yaml:7:18 stages\.train\.uses: there is no axis "mehtod" \(did you mean "method"\?\)/],
  ["a value of an axis that is no stage: told where it is written", "train/guided]", "train/gided]", /^p\.yaml:3:24 axes\.method\[1\]: there is no stage "train\/gided" \(did you mean "train\/guided"\?\)/],
  ["a baseline on an axis that is not there", "needs: train }\n", "needs: train }\nreport: { baseline: { methd: x } }\n", /^p\.yaml:10:23 report\.baseline\.methd: there is no axis "methd" \(did you mean "method"\?\)/],
  ["columns of an axis that is not there", "needs: train }\n", "needs: train }\nreport: { columns: methd }\n", /^p\.yaml:10:20 report\.columns: there is no axis "methd" \(did you mean "method"\?\)/],
  ["a baseline of a value that is not there", "needs: train }\n", "needs: train }\nreport: { baseline: { method: train/guded } }\n", /^p\.yaml:10:31 report\.baseline\.method: the axis "method" has no value train\/guded \(did you mean "train\/guided"\?\)/],
  ["a heatmap over an axis that is not there", "needs: train }\n", "needs: train }\nreport: { heatmap: { x: methd, y: method, metric: a.b } }\n", /^p\.yaml:10:25 report\.heatmap\.x: there is no axis "methd" \(did you mean "method"\?\)/],
  ["an unknown parameter", "{ uses: embed/size, needs: samples }", "{ uses: embed/size, needs: samples, with: { sice: 3 } }", /^p\.yaml:6:54 stages\.embed\.with\.sice: unknown key "sice" \(did you mean "size"\?\); known: size/],
  ["a parameter of the wrong type", "{ uses: embed/size, needs: samples }", "{ uses: embed/size, needs: samples, with: { size: big } }", /^p\.yaml:6:60 stages\.embed\.with\.size: .*"big".*\(parameter of embed\/size\)/],
  ["a parameter as text", "{ uses: embed/size, needs: samples }", "{ uses: embed/size, needs: samples, with: { size: \"8\" } }", /^p\.yaml:6:60 .*"8"/],
  ["no stage at all", "stages:", "stages: {}\nreport:", /p\.yaml:/],
  ["exclude of nothing", "stages:", "exclude: [{ method: train/nine }]\nstages:", /^p\.yaml:4:\d+ exclude\[0\]\.method: the axis "method" has no value train\/nine \(did you mean "train\/none"\?\)/]
]

describe("each mistake is told at its place, with what was expected", () => {
  it.each(cases)("%s", async (_, from, to, message) => {
    expect(good).toContain(from)
    expect(await wrongIn(good.replace(from, to))).toMatch(message)
  })

  it("the line is shown, with a mark under the place", async () => {
    expect(await wrongIn(good.replace("needs: samples }", "needs: sampels }"))).toMatch(/\n {3}6 \| {3}embed: \{ uses: embed\/size, needs: sampels \}\n {5}\| {37}\^$/)
  })

  it("a circle shows its path", async () => {
    const text = await wrongIn(good.replace("{ uses: ingest/list }", "{ uses: ingest/list, needs: train }"))
    expect(text).toMatch(/the stages need each other in a circle: (samples needs train needs embed needs samples|train needs embed needs samples needs train|embed needs samples needs train needs embed)/)
    expect(await wrongIn(good.replace("needs: samples }", "needs: embed }"))).toContain("in a circle: embed needs embed")
  })

  it("several mistakes come at once, in the order of the file", async () => {
    const text = await wrongIn(good.replace("uses: embed/size", "usse: embed/size").replace("uses: probe/count", "uses: probe/count, wtih: {}").replace("name: p", "name: P"))
    expect(text.match(/^p\.yaml:\d+:\d+/gm)).toEqual(["p.yaml:1:7", "p.yaml:6:10", "p.yaml:6:12", "p.yaml:9:31"])
    const later = await wrongIn(good.replace("uses: embed/size, needs: samples", "uses: embed/size, needs: samples, with: { size: big, sice: 1 }").replace("needs: train }", "needs: train, with: { sed: 1 } }"))
    expect(later.match(/^p\.yaml:\d/gm), "both parameters of one stage, and that of another").toEqual(["p.yaml:6", "p.yaml:6", "p.yaml:9"])
  })

  it("a mistake that a merge key brought in is told where it is written", async () => {
    const text = await wrongIn(`name: p
axes: { unused: { only: &small { size: big } } }
stages:
  samples: { uses: ingest/list }
  embed:
    uses: embed/size
    needs: samples
    with:
      <<: *small
`)
    expect(text).toMatch(/^p\.yaml:2:40 .*"big"/)
  })

  it("a mistake that an axis brought in by $axis.with is told where it is written", async () => {
    expect(await wrongIn(`name: p
axes:
  encoder:
    small: { uses: embed/size, with: { size: 3 } }
    large: { uses: embed/size, with: { size: 3, siz: 4 } }
stages:
  samples: { uses: ingest/list }
  embed: { uses: $encoder.uses, needs: samples, with: $encoder.with }
`)).toMatch(/^p\.yaml:5:49 axes\.encoder\.large\.with\.siz: unknown key "siz" \(did you mean "size"\?\)/)
  })

  it("merge keys work", async () => {
    expect(await wrongIn(good.replace("stages:\n", "stages:\n  other: { <<: &all { uses: embed/size, needs: samples }, with: { size: 9 } }\n  third: *all\n"))).toBe("")
  })

  it("a thousand mistakes are not all printed", async () => {
    const text = await wrongIn(good + Array.from({ length: 200 }, (_, i) => `  s${i}: { uses: embed/size, needz: samples }\n`).join(""))
    expect(text).toMatch(/\.\.\. and 180 more$/)
  })
})
