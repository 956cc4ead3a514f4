import { describe, expect, it } from "vitest"
import yolo from "../../../stages/ingest/yolo.ts"
import { folderOf, ingest, png } from "./services.ts"

const names = ["cow", "deer", "horse"]

describe("ingest/yolo", () => {
  it("reads TG-MATL's layout: crops of one box each", async () => {
    const root = folderOf({
      "awir/a_2022-06-01.png": await png(400, 320),
      "awir/a_2022-06-01.txt": "0 0.25 0.5 0.1 0.05\n2 0.9 0.1 0.05 0.1\n\n",
      "awir/night/b.png": await png(400, 320),
      "awir/night/b.txt": "1 0.5 0.5 0.1 0.1\n1 0.55 0.5 0.1 0.1\n",
      "awir/empty.png": await png(400, 320)
    })
    const { notices, table } = await ingest(yolo, root, { images: "awir", names, crop: 200 })
    expect(table.sample_id).toEqual(["awir/a_2022-06-01.png/0000", "awir/a_2022-06-01.png/0001"])
    expect(table.label).toEqual(["cow", "horse"])
    expect(table.location).toEqual(["awir/a_2022-06-01.png", "awir/a_2022-06-01.png"])
    expect(table.time[0]).toBe(Date.UTC(2022, 5, 1))
    const [x, y] = table.window.values
    expect([...table.box.values.subarray(0, 4)]).toEqual([80 - x!, 152 - y!, 120 - x!, 168 - y!])
    expect(notices).toEqual(["images without a .txt beside them, and thus without boxes: 1 of 3", "boxes that gave no crop: 2 of 4 (2 crossed by another box)"])
  })

  it("takes whole images at the root", async () => {
    const { table } = await ingest(yolo, folderOf({ "a.png": await png(100, 50), "a.txt": "1 0.5 0.5 0.2 0.2" }), { names })
    expect(table.sample_id).toEqual(["a.png"])
    expect(table.label).toEqual(["deer"])
    expect([...table.box.values]).toEqual([40, 20, 60, 30])
  })

  it.each([
    ["1 0.5 0.5 0.2", 'a.txt, line 1: "1 0.5 0.5 0.2" is not `class cx cy w h`'],
    ["0 0.5 0.5 0.2 0.2\n3 0.5 0.5 0.2 0.2", "a.txt, line 2: class 3 has no name: `names` has 3, numbered from 0"],
    ["0.5 0.5 0.5 0.2 0.2", "a.txt, line 1: class 0.5 has no name"],
    ["1 120 80 20 20", 'a.txt, line 1: "1 120 80 20 20" is not relative to the image: numbers beyond 0..1']
  ])("refuses %j", async (text, message) => {
    await expect(ingest(yolo, folderOf({ "a.png": await png(100, 50), "a.txt": text }), { names })).rejects.toThrow(message)
  })

  it("refuses a folder without images, and one without boxes", async () => {
    await expect(ingest(yolo, folderOf({ "x/a.txt": "" }), { images: "x", names })).rejects.toThrow("there are no images in x")
    await expect(ingest(yolo, folderOf({ "x/a.png": await png(9, 9) }), { images: "x", names })).rejects.toThrow("no image in x has a .txt beside it: x/a.txt is not there, for one")
    await expect(ingest(yolo, folderOf({}), { images: "nowhere", names })).rejects.toThrow("nowhere is not there")
  })
})
