/** Messages about what was not found name what lies near: one's pipelines, and caches that are elsewhere. */
import * as fs from "node:fs"
import { join } from "node:path"
import { afterAll, expect, it } from "vitest"
import { cachesNear, pipelinesNear } from "../../engine/nearby.ts"
import { removeFolders, temporary } from "./data-files.ts"

afterAll(removeFolders)
const write = (home: string, files: Readonly<Record<string, string>>) => {
  for (const [file, text] of Object.entries(files)) {
    fs.mkdirSync(join(home, file, ".."), { recursive: true })
    fs.writeFileSync(join(home, file), text)
  }
  return home
}

it("pipelines are YAML files with stages, here and one folder down", () => {
  const home = write(temporary(), { "b.yaml": "name: b\nstages:\n", "config.yaml": "# stages: none\n", "pipelines/a.yml": "stages: {}\n", "pipelines/deep/c.yaml": "stages: {}\n", ".hidden/d.yaml": "stages: {}\n", "node_modules/e.yaml": "stages: {}\n" })
  expect(pipelinesNear(home)).toBe(`; there are ${join(home, "b.yaml")}, ${join(home, "pipelines/a.yml")}`)
  expect(pipelinesNear(join(home, "pipelines/deep"))).toBe(`; there is ${join(home, "pipelines/deep/c.yaml")}`)
})

it("of many the first are named, and the others counted", () => {
  const home = write(temporary(), Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`${i}.yaml`, "stages: {}\n"])))
  expect(pipelinesNear(home)).toMatch(/7\.yaml and 2 more$/)
})

it("caches are folders .outcrop that say their format", () => {
  const home = write(temporary(), { "pipelines/.outcrop/format": "1\n", ".outcrop/other": "" })
  expect(cachesNear(home)).toBe(`; there is one at ${join(home, "pipelines/.outcrop")}`)
})

it("nothing near is nothing said, also of a folder that is not there", () => {
  const home = temporary()
  expect([home, join(home, "nowhere")].map((folder) => pipelinesNear(folder) + cachesNear(folder))).toEqual(["", ""])
})
