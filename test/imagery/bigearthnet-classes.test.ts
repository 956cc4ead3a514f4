import { describe, expect, it } from "vitest"
import { classes19, classes43, strange, to19 } from "../../imagery/bigearthnet-classes.ts"

describe("the classes of BigEarthNet", () => {
  it("are 43, of which 32 become 19 and 11 are left out", () => {
    expect([classes43.length, classes19.length]).toEqual([43, 19])
    expect(classes43.filter((name) => to19([name]).length === 0)).toEqual([
      "Road and rail networks and associated land",
      "Port areas",
      "Airports",
      "Mineral extraction sites",
      "Dump sites",
      "Construction sites",
      "Green urban areas",
      "Sport and leisure facilities",
      "Bare rock",
      "Burnt areas",
      "Intertidal flats"
    ])
    // ten keep their name or its meaning alone, nine bring 22 together
    const sizes = classes19.map((name) => classes43.filter((one) => to19([one])[0] === name).length)
    expect([sizes.filter((size) => size === 1).length, sizes.filter((size) => size > 1).length, sizes.reduce((sum, size) => sum + size)]).toEqual([10, 9, 32])
  })

  it("are brought together, each once", () => {
    expect(to19(["Water bodies", "Continuous urban fabric", "Discontinuous urban fabric", "Airports", "Water courses"])).toEqual(["Urban fabric", "Inland waters"])
    expect(to19(["Airports"])).toEqual([])
  })

  it("name what is none of theirs", () => {
    expect(strange(["Pastures", "Mixed forrest"], classes43)).toBe("\"Mixed forrest\" is none of the 43 classes of BigEarthNet (did you mean \"Mixed forest\"?)")
    expect(strange(["Inland waters"], classes43)).toContain("none of the 43")
    expect(strange(["Inland waters"], classes19)).toBeUndefined()
  })
})
