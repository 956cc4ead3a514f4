import { describe, expect, it } from "vitest"
import { readBytes, readWords, showBytes, showSeconds } from "../../cli/words.ts"

describe("one rule for the arguments of every command", () => {
  it("what ends in .yaml is the pipeline, what has = picks cells, the rest are names", () => {
    expect(readWords(["probe", "method=matl", "pipelines/tg-matl.yaml", "fold=0,1", "method=dtl*", "class.accuracy"])).toEqual({
      file: "pipelines/tg-matl.yaml",
      picks: { method: ["matl", "dtl*"], fold: ["0", "1"] },
      names: ["probe", "class.accuracy"]
    })
    expect(readWords([]).file).toBe("pipeline.yaml")
    expect(readWords(["x.yml"]).file).toBe("x.yml")
    expect(readWords(["equation=a=b"]).picks).toEqual({ equation: ["a=b"] })
  })
})

describe("sizes and times as people write them", () => {
  it.each([["2GB", 2 ** 31], ["512MB", 2 ** 29], ["1.5 gib", 1.5 * 2 ** 30], ["100", 100], ["64k", 65536], ["much", undefined], ["-1GB", undefined], ["", undefined]] as const)("%s", (text, bytes) => {
    expect(readBytes(text)).toBe(bytes)
  })

  it.each([[0, "0 B"], [999, "999 B"], [26_100, "26 kB"], [1_500_000, "1.5 MB"], [3e15, "3000 TB"]] as const)("%d bytes", (bytes, text) => {
    expect(showBytes(bytes)).toBe(text)
  })

  it.each([[0.0004, "0 ms"], [0.9994, "999 ms"], [12.34, "12.3 s"], [59.96, "1 min 0 s"], [119.7, "2 min 0 s"], [3599.8, "1 h 0 min"], [7260, "2 h 1 min"]] as const)("%d seconds", (seconds, text) => {
    expect(showSeconds(seconds)).toBe(text)
  })
})
