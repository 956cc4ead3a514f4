/** A list of images that names a file outside of the data root is refused by every reader, also where missing images are skipped. */
import { afterAll, describe, expect, it } from "vitest"
import { Folder, removeFolders } from "../../pipeline.ts"

afterAll(removeFolders)

const csv = (path: string) => `image_path,xmin,ymin,xmax,ymax,label\n${path},1,2,3,4,oak\n`
const coco = (path: string) => JSON.stringify({ images: [{ id: 1, file_name: path, width: 9, height: 9 }], annotations: [] })
const xml = (path: string) => `<annotation><filename>${path}</filename></annotation>`

describe("an image at a/../../outside.png", () => {
  const path = "a/../../outside.png"
  it.each([
    ["boxes", "{ file: list, missing: skip }", csv(path)],
    ["csv", "{ file: list, path: image_path, missing: skip }", csv(path)],
    ["fmow", "{ file: list, missing: skip }", `label,path\noak,${path}\n`],
    ["coco", "{ annotations: list, missing: skip }", coco(path)],
    ["voc", "{ annotations: [list], missing: skip }", xml(path)],
    ["treesatai", "{ labels: list, images: ., missing: skip }", JSON.stringify({ [path]: [["Picea", 1]] })],
    ["points", `{ points: list, scenes: ["${path}"], size: 9, onError: skip }`, "lat,lon\n1,2\n"]
  ])("is refused by ingest/%s", async (name, parameters, list) => {
    const folder = new Folder({ "pipeline.yaml": `name: p\ndata: { root: data }\nstages:\n  it: { uses: ingest/${name}, with: ${parameters} }\n`, "data/list": list, "outside.png": "secret" })
    const { code, err, out } = await folder.outcrop("run")
    expect(`${out}${err}`).toMatch(/outside\.png lies outside of the data root/)
    expect(code).toBe(1)
  })
})
