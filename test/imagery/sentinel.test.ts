import { describe, expect, it } from "vitest"
import { bandName, eurosat, sentinel2 } from "../../imagery/sentinel.ts"

describe("bandName", () => {
  it.each([
    ["B2", "B02"],
    ["b02", "B02"],
    ["B002", "B02"],
    ["B12", "B12"],
    ["B8", "B08"],
    ["B8A", "B8A"],
    ["b08a", "B8A"],
    ["vv", "VV"],
    ["VH", "VH"],
    ["B13", "B13"],
    ["B0", "B0"],
    ["B1A", "B1A"],
    ["QA60", "QA60"],
    ["image", "image"]
  ])("%s is %s", (written, name) => expect(bandName(written)).toBe(name))

  it("changes no name of its own", () => {
    for (const name of [...eurosat, ...sentinel2]) expect(bandName(name)).toBe(name)
    expect(eurosat.toSorted()).toEqual([...sentinel2, "B10"].toSorted())
  })
})
