import { latLngToCell, gridDisk } from "h3-js"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Annotations, Samples } from "outcrop"
import * as Tables from "../../../schemas/table.ts"
import split from "../../../stages/ingest/split.ts"
import { divide, folderOf } from "./services.ts"

interface Row {
  readonly id: string
  readonly label?: string | null
  readonly labels?: ReadonlyArray<string>
  readonly location?: string
  readonly lat?: number
  readonly lon?: number
  /** 2022-06-01, or with a time after it. */
  readonly time?: string
}
const samplesOf = (rows: ReadonlyArray<Row>) => ({
  samples: Tables.view(
    Tables.make(Samples, {
      sample_id: rows.map(({ id }) => id),
      assets: rows.map(() => []),
      label: rows.map(({ label }) => label ?? null),
      labels: rows.map(({ labels }) => labels ?? []),
      location: rows.map(({ location }) => location ?? null),
      lat: Float64Array.from(rows, ({ lat }) => lat ?? Number.NaN),
      lon: Float64Array.from(rows, ({ lon }) => lon ?? Number.NaN),
      time: Float64Array.from(rows, ({ time }) => time === undefined ? Number.NaN : Date.parse(time))
    }),
    ["sample_id", "label", "labels", "location", "lat", "lon", "time"]
  )
})
const idOf = (i: number) => `s${String(i).padStart(4, "0")}`
const species = Array.from({ length: 240 }, (_, i): Row => ({ id: idOf(i), label: ["cow", "deer", "horse"][i % 3]!, location: `place-${String(Math.floor(i / 6)).padStart(2, "0")}` }))
const ports: ReadonlyArray<Row> = ["algiers", "busan", "cartagena", "klang"].flatMap((location, p) => Array.from({ length: 10 + p }, (_, i): Row => ({ id: `${location}/${i}`, label: i % 4 === 0 ? "ship" : "none", location })))

const count = (of: ReadonlyMap<string, string>, part: string, rows: ReadonlyArray<Row>, where: (row: Row) => boolean = () => true) => rows.filter((row) => where(row) && of.get(row.id) === part).length

describe("drawn", () => {
  it("follows TG-MATL: 70% test, eight folds of the rest, each class even", async () => {
    const validated = new Map<string, number>()
    let test: ReadonlyArray<string> | undefined
    for (let fold = 0; fold < 8; fold++) {
      const { notices, of } = await divide(split, samplesOf(species), { by: ["label"], test: 0.7, folds: 8, fold })
      for (const label of ["cow", "deer", "horse"]) {
        const mine = (row: Row) => row.label === label
        expect([count(of, "test", species, mine), count(of, "val", species, mine), count(of, "train", species, mine)]).toEqual([56, 3, 21])
      }
      const tested = [...of].flatMap(([id, part]) => part === "test" ? [id] : [])
      expect(tested).toEqual(test ?? tested)
      test = tested
      for (const [id, part] of of) if (part === "val") validated.set(id, (validated.get(id) ?? 0) + 1)
      // places of six samples, of which 70% are test: a random split leaves few places whole
      expect(notices).toEqual([expect.stringMatching(/^spatial leak: 1\d\d of 168 test samples are in the same place as a training sample; `group: location` keeps places apart$/)])
    }
    expect(validated.size).toBe(72)
    expect([...validated.values()].every((times) => times === 1)).toBe(true)
  })

  it("stratifies on class x box label, from annotations joined by id", async () => {
    // the box labels come in another order than the samples, and one sample has none
    const ids = species.map(({ id }) => id)
    const box = Int32Array.from(ids, (_, i) => i === 7 ? -1 : Math.floor(i / 3) % 2)
    const annotations = Tables.view(Tables.make(Annotations, { sample_id: ids.toReversed(), open: { box: box.toReversed() } }), ["sample_id", "box"])
    const { notices, of } = await divide(split, { ...samplesOf(species), annotations }, { by: ["label", "box"], test: 0.5 })
    for (const label of ["cow", "deer", "horse"]) {
      for (const wanted of [0, 1]) {
        const rows = species.filter((row, i) => row.label === label && box[i] === wanted)
        expect(Math.abs(count(of, "test", rows) - rows.length / 2)).toBeLessThan(1)
      }
    }
    expect(notices[0]).toBe("samples without label or box are strata of their own: 1 (s0007)")
  })

  it("does not draw the same rows for another seed, and the same ones for the same", async () => {
    const [a, b, c] = await Promise.all([0, 0, 1].map((seed) => divide(split, samplesOf(species), { by: ["label"], seed })))
    expect(a!.of).toEqual(b!.of)
    expect(a!.of).not.toEqual(c!.of)
  })

  it("takes combinations of `labels` as strata", async () => {
    const rows = Array.from({ length: 40 }, (_, i): Row => ({ id: idOf(i), labels: i % 4 === 0 ? ["water", "bare"] : ["bare"] }))
    const { of } = await divide(split, samplesOf(rows), { by: ["labels"], test: 0.5 })
    expect(count(of, "test", rows, ({ labels }) => labels!.length === 2)).toBe(5)
  })

  it("says which classes are smaller than the folds", async () => {
    const rows = [...species.slice(0, 30), { id: "rare", label: "moose" }]
    const { notices } = await divide(split, samplesOf(rows), { by: ["label"], test: 0, folds: 5, fold: 0 })
    expect(notices).toEqual(["classes with fewer samples than the 5 folds, so that some lack them: 1 of 4 (moose has 1)"])
  })
})

describe("by group", () => {
  it("leaves one port out at a time, in name order", async () => {
    for (const [fold, port] of ["algiers", "busan", "cartagena", "klang"].entries()) {
      const { of } = await divide(split, samplesOf(ports), { group: "location", test: "fold", fold, val: 0.25 })
      const tested = new Set(ports.filter(({ id }) => of.get(id) === "test").map(({ location }) => location))
      const validated = new Set(ports.filter(({ id }) => of.get(id) === "val").map(({ location }) => location))
      expect([...tested]).toEqual([port])
      expect(validated.size).toBe(1)
      expect(validated).not.toContain(port)
      expect(count(of, "test", ports)).toBe(ports.filter(({ location }) => location === port).length)
    }
  })

  it("also where there are more samples than a call takes arguments", async () => {
    const many = Array.from({ length: 150_000 }, (_, i): Row => ({ id: String(i).padStart(6, "0"), location: ports[i % ports.length]!.location! }))
    const { of } = await divide(split, samplesOf(many), { group: "location", test: { groups: ["klang"] } })
    expect(count(of, "test", many)).toBe(many.filter(({ location }) => location === "klang").length)
  })

  it("says where another seed is no other split: groups of different sizes are dealt by size, equal ones are drawn for", async () => {
    const parameters = { group: "location", test: 0.3 } as const
    const [first, second] = [await divide(split, samplesOf(ports), parameters), await divide(split, samplesOf(ports), { ...parameters, seed: 2 })]
    expect(second.of).toEqual(first.of)
    expect([first.notices, second.notices]).toEqual([[], [expect.stringMatching(/^seed 2 divides as seed 0 does: .*`test: fold` has each group as the test set in turn$/)]])
    const [drawn, again] = [await divide(split, samplesOf(species), parameters), await divide(split, samplesOf(species), { ...parameters, seed: 2 })]
    expect(again.of).not.toEqual(drawn.of)
    expect(again.notices).toEqual([])
  })
  it("takes named groups", async () => {
    const { of } = await divide(split, samplesOf(ports), { group: "location", test: { groups: ["klang"] }, val: { groups: ["busan", "algiers"] } })
    for (const { id, location } of ports) expect(of.get(id)).toBe(location === "klang" ? "test" : location === "cartagena" ? "train" : "val")
  })

  it("deals whole places to folds of like size and class", async () => {
    const { of } = await divide(split, samplesOf(species), { by: ["label"], group: "location", test: 0.25, folds: 5, fold: 2 })
    const partsOf = new Map<string, Set<string>>()
    for (const { id, location } of species) partsOf.set(location!, (partsOf.get(location!) ?? new Set()).add(of.get(id)!))
    expect([...partsOf.values()].every((parts) => parts.size === 1)).toBe(true)
    expect(count(of, "test", species)).toBe(60)
    expect(count(of, "val", species)).toBe(36)
  })

  it("keeps H3 cells whole and leaves rings around test cells unused", async () => {
    const rows = Array.from({ length: 400 }, (_, i): Row => ({ id: idOf(i), lat: 48 + Math.floor(i / 20) * 0.05, lon: 2 + (i % 20) * 0.05 }))
    const cellOf = ({ lat, lon }: Row) => latLngToCell(lat!, lon!, 6)
    const { notices, of } = await divide(split, samplesOf(rows), { group: "h3", resolution: 6, buffer: 1, test: 0.1 })
    const testCells = new Set(rows.filter(({ id }) => of.get(id) === "test").map(cellOf))
    expect(count(of, "test", rows)).toBeGreaterThan(30)
    for (const row of rows) {
      const near = gridDisk(cellOf(row), 1).some((cell) => testCells.has(cell))
      expect(of.get(row.id)).toBe(testCells.has(cellOf(row)) ? "test" : near ? "unused" : "train")
    }
    expect(notices).toEqual([`samples left unused because their cell is near a test cell (1 ring): ${count(of, "unused", rows)} of 400`])
  })
})

describe("given", () => {
  it("takes lists of names, as EuroSAT's", async () => {
    const root = folderOf({ "train.txt": "a_1.tif\nb_1.tif\n", "test.txt": "a_2.tif\nstranger.tif\n" })
    const rows = ["A/a_1.tif", "A/a_2.tif", "B/b_1.tif", "B/b_2.tif"].map((id) => ({ id }))
    const { notices, of } = await divide(split, samplesOf(rows), { given: { train: "train.txt", test: "test.txt" } }, root)
    expect(Object.fromEntries(of)).toEqual({ "A/a_1.tif": "train", "A/a_2.tif": "test", "B/b_1.tif": "train", "B/b_2.tif": "unused" })
    expect(notices).toEqual(["ids of the given split that are no samples here: 1 (stranger.tif)", "samples in no list, left unused: 1 of 4"])
  })

  it("takes names of files with another extension, as EuroSAT's lists have them for the TIFFs too", async () => {
    const root = folderOf({ "train.txt": "a_1.jpg\nb.2\n", "test.txt": "A/a_2.jpg\nB/a_1.jpg" })
    const { notices, of } = await divide(split, samplesOf(["A/a_1.tif", "A/a_2.tif", "B/b.3"].map((id) => ({ id }))), { given: { train: "train.txt", test: "test.txt" } }, root)
    expect(Object.fromEntries(of)).toEqual({ "A/a_1.tif": "train", "A/a_2.tif": "test", "B/b.3": "unused" })
    expect(notices[0]).toBe("ids of the given split that are no samples here: 2 (b.2, B/a_1.jpg)")
    await expect(divide(split, samplesOf(["a.jpg", "a.png"].map((id) => ({ id }))), { given: { train: "l" } }, folderOf({ l: "a.tif" }))).rejects.toThrow('"a.tif" of the given split is the name of 2 samples (a.jpg, a.png); list whole ids')
  })

  it("takes a column of a CSV", async () => {
    const root = folderOf({ "split.csv": "name,fold\na,train\nb,validation\nc,test\n" })
    const { of } = await divide(split, samplesOf([{ id: "a" }, { id: "b" }, { id: "c" }]), { given: { file: "split.csv", id: "name", split: "fold" } }, root)
    expect(Object.fromEntries(of)).toEqual({ a: "train", b: "val", c: "test" })
  })

  it.each([
    ["split.csv", "sample_id,split\na,training\n", 'split.csv, row 1: "training" is no split; use train, val, test or unused'],
    ["split.csv", "sample_id,split,split\na,train,test\n", 'split.csv has two columns "split"; rename one of them'],
    ["split.csv", "id,split\na,train\n", 'split.csv has no column "sample_id"; it has id, split'],
    ["split.csv", "sample_id,split\na,train\na,test\n", '"a" is listed both under train and under test'],
    ["split.csv", "sample_id,split\na,unused\n", "the train set is empty (train 0, val 0, test 0, unused 1): ask for other fractions, folds, groups or dates"],
    ["other.csv", "", "split.csv is not there"]
  ])("refuses %s with %j", async (name, content, message) => {
    await expect(divide(split, samplesOf([{ id: "a" }]), { given: { file: "split.csv" } }, folderOf({ [name]: content }))).rejects.toThrow(message)
  })
})

describe("by time", () => {
  const dated = ["2021-12-31T23:59:59Z", "2022-01-01", "2022-05-31T23:59:59Z", "2022-06-01", "2022-07-01", "2023-02-28"].map((time, i): Row => ({ id: idOf(i), time, location: "here" }))

  it("trains on earlier dates and tests from a day on, validating on the last before it", async () => {
    const { notices, of } = await divide(split, samplesOf(dated), { test: { from: "2022-06-01" }, val: { from: "2022-05-31" } })
    expect([...of.values()]).toEqual(["train", "train", "val", "test", "test", "test"])
    expect(notices).toEqual([])
  })

  it("tests on a season, of any year", async () => {
    const { of } = await divide(split, samplesOf(dated), { test: { months: [12, 1, 2] }, val: { months: [6] } })
    expect([...of.values()]).toEqual(["test", "test", "train", "val", "train", "test"])
  })

  it("validates at random or in folds on what is not test", async () => {
    const { of } = await divide(split, samplesOf(dated), { test: { from: "2022-07-01" }, val: 0.25 })
    expect([...of.values()].toSorted()).toEqual(["test", "test", "train", "train", "train", "val"])
    const folds = await Promise.all([0, 1].map((fold) => divide(split, samplesOf(dated), { test: { from: "2022-07-01" }, folds: 2, fold })))
    expect(folds.map(({ of }) => count(of, "val", dated))).toEqual([2, 2])
  })

  it("leaves samples without a time unused, and says how many", async () => {
    const { notices, of } = await divide(split, samplesOf([...dated, { id: "timeless" }]), { test: { from: "2022-06-01" } })
    expect(of.get("timeless")).toBe("unused")
    expect(notices).toEqual(["samples without a time, left unused: 1 of 7 (timeless)"])
  })

  it.each([
    [{ test: { from: "2024-01-01" } }, "the test set is empty (train 6, val 0, test 0, unused 0): ask for other fractions, folds, groups or dates"],
    [{ test: { from: "2022-02-31" } }, '"2022-02-31" is no day; write it as 2022-06-01'],
    [{ test: { from: "June 2022" } }, '"June 2022" is no day'],
    [{ test: { months: [0] } }, "between 1 and 12"],
    [{ test: { months: [1] }, group: "location" }, "`group: location` keeps places whole, which a division by time does not: leave one of them out"]
  ])("refuses %j", async (parameters, message) => {
    await expect(divide(split, samplesOf(dated), parameters)).rejects.toThrow(message)
  })

  it("refuses samples of which none has a time", async () => {
    await expect(divide(split, samplesOf(species), { test: { from: "2022-06-01" } })).rejects.toThrow("a division by time needs times, and no sample has one")
  })
})

describe("fraction", () => {
  it("keeps a share of the training samples, each class in proportion, and leaves the test set whole", async () => {
    const whole = await divide(split, samplesOf(species), { by: ["label"], test: 0.5, val: 0.5 })
    const { notices, of } = await divide(split, samplesOf(species), { by: ["label"], test: 0.5, val: 0.5, fraction: 0.2 })
    for (const label of ["cow", "deer", "horse"]) expect(count(of, "train", species, (row) => row.label === label)).toBe(4)
    for (const { id } of species) if (whole.of.get(id) === "test") expect(of.get(id)).toBe(whole.of.get(id))
    for (const label of ["cow", "deer", "horse"]) expect(count(of, "val", species, (row) => row.label === label)).toBe(4)
    expect(notices.slice(0, 2)).toEqual(["training samples that the label fraction keeps: 12 of 60, the others are unused", "validation samples that the label fraction keeps: 12 of 60, the others are unused"])
  })

  it("nests: what 1% keeps, 10% keeps too, and each kept class has a sample where there are enough", async () => {
    const names = ["crops", "built", "snow", "water"]
    const multi = fc.array(fc.subarray(names), { minLength: 20, maxLength: 120 })
    await fc.assert(fc.asyncProperty(multi, fc.double({ min: 0.01, max: 1, noNaN: true }), fc.double({ min: 0.01, max: 1, noNaN: true }), fc.nat(9), async (labels, a, b, seed) => {
      const rows = labels.map((labels, i): Row => ({ id: idOf(i), labels })), kept = (fraction: number) => divide(split, samplesOf(rows), { by: ["labels"], test: 0.3, fraction, seed })
      const [small, large, all] = await Promise.all([kept(Math.min(a, b)), kept(Math.max(a, b)), kept(1)])
      const train = rows.filter(({ id }) => all.of.get(id) === "train"), few = train.filter(({ id }) => small.of.get(id) === "train")
      expect(few.length).toBe(Math.ceil(Math.min(a, b) * train.length - 1e-9 * train.length))
      for (const { id } of few) expect(large.of.get(id)).toBe("train")
      for (const { id } of rows) if (all.of.get(id) === "test") expect(small.of.get(id)).toBe("test")
      const classes = new Set(train.flatMap(({ labels }) => labels!.length === 0 ? ["none"] : labels!))
      if (few.length >= classes.size) expect(new Set(few.flatMap(({ labels }) => labels!.length === 0 ? ["none"] : labels!))).toEqual(classes)
    }), { numRuns: 40 })
  })

  it("says which classes it keeps none of", async () => {
    const { notices } = await divide(split, samplesOf(species), { by: ["label"], test: 0.5, fraction: 0.01 })
    expect(notices[0]).toMatch(/^training samples that the label fraction keeps: 2 of 120, the others are unused; classes of which it keeps none: 1 of 3 \((cow|deer|horse)\)$/)
  })

  it("applies to a given split", async () => {
    const root = folderOf({ "train.txt": species.slice(0, 120).map(({ id }) => id).join("\n"), "test.txt": species.slice(120).map(({ id }) => id).join("\n") })
    const { of } = await divide(split, samplesOf(species), { given: { train: "train.txt", test: "test.txt" }, by: ["label"], fraction: 0.1 }, root)
    expect([count(of, "train", species), count(of, "test", species), count(of, "unused", species)]).toEqual([12, 120, 108])
  })
})

describe("spatial leak", () => {
  /** Twenty places 0.1 degrees apart, with three samples each, 0.005 degrees (555 m) apart. */
  const placed = Array.from({ length: 60 }, (_, i): Row => ({ id: idOf(i), lat: 10 + 0.005 * (i % 3), lon: 179.5 + 0.1 * Math.floor(i / 3), location: `place-${Math.floor(i / 3)}` }))

  it("is said once, of a random split", async () => {
    const { notices, of } = await divide(split, samplesOf(placed), { test: 0.3 })
    // by all pairs; the middle one of a place lies within 1 km of both others, the outer ones 1.1 km apart
    const train = placed.filter(({ id }) => of.get(id) === "train"), test = placed.filter(({ id }) => of.get(id) === "test")
    const same = test.filter((row) => train.some(({ location }) => location === row.location)).length
    const near = test.filter((row) => train.some((other) => other.location === row.location && Math.abs(other.lat! - row.lat!) < 0.009)).length
    expect(near).toBeGreaterThan(0)
    expect(notices).toEqual([`spatial leak: ${near} of 18 test samples lie within 1 km of a training sample, ${same} in the same place as one; \`group: location\` or \`group: h3\` keeps places apart`])
  })

  it("is said of a given split", async () => {
    const root = folderOf({ "train.txt": "s0000", "test.txt": "s0001\ns0002" })
    const { notices } = await divide(split, samplesOf(placed.slice(0, 3)), { given: { train: "train.txt", test: "test.txt" } }, root)
    expect(notices).toEqual(["spatial leak: 1 of 2 test samples lie within 1 km of a training sample, 2 in the same place as one; `group: location` or `group: h3` keeps places apart"])
  })

  it("is not said where places are kept apart, nor where nothing is known of them", async () => {
    expect((await divide(split, samplesOf(placed), { test: 0.3, group: "location" })).notices).toEqual([])
    expect((await divide(split, samplesOf(placed.map(({ id }) => ({ id }))), { test: 0.3 })).notices).toEqual([])
  })

  it("says so where there is none", async () => {
    const apart = Array.from({ length: 10 }, (_, i): Row => ({ id: idOf(i), lat: i, lon: 0 }))
    expect((await divide(split, samplesOf(apart), { test: 0.3 })).notices).toEqual(["no spatial leak: 0 of 3 test samples lie within 1 km of a training sample"])
  })
})

describe("refuses", () => {
  it.each([
    [{ folds: 8, fold: 8 }, "fold 8 is beyond the last: there are 8 folds, numbered from 0 to 7"],
    [{ folds: 8 }, "`folds` needs `fold`: which of them is the validation set"],
    [{ fold: 1 }, "`fold` needs `folds`, or `test: fold`"],
    [{ folds: 4, fold: 0, val: 0.1 }, "`folds` and `val` both say what the validation set is; give one of them"],
    [{ test: "fold", fold: 0 }, "`test: fold` needs `folds`, or a `group` to leave out one at a time"],
    [{ test: "fold", group: "location", fold: 40 }, "fold 40 is beyond the last: there are 40 groups, numbered from 0 to 39"],
    [{ test: { groups: ["place-00"] } }, "groups are named for a part, but not what a group is: add `group: location`"],
    [{ test: { groups: ["palce-00"] }, group: "location" }, 'there is no group "palce-00"; there are place-00, place-01'],
    [{ buffer: 1 }, "`buffer` counts rings of H3 cells: it needs `group: h3`"],
    [{ group: "h3" }, "`group: h3` needs coordinates; samples without: 240 of 240 (s0000, s0001, s0002 and 237 more)"],
    [{ by: ["box"] }, 'to stratify by "box", bind `annotations` to the stage that gives it; samples have label, labels, location'],
    [{ group: "location", test: 0.001 }, "the test set is empty (train 240, val 0, test 0, unused 0): ask for other fractions, folds, groups or dates"]
  ])("%j", async (parameters, message) => {
    await expect(divide(split, samplesOf(species), parameters)).rejects.toThrow(message)
  })

  it("a validation fold that no sample is in", async () => {
    await expect(divide(split, samplesOf(species.slice(0, 3)), { test: 0, folds: 5, fold: 4 })).rejects.toThrow("the val set is empty")
  })
})
