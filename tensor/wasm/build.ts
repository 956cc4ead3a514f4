/**
 * Compiles `optimisers.ts` (AssemblyScript) and writes the bytes as a module, so that no user needs a compiler and bundles carry them.
 * Run it after a change: node tensor/wasm/build.ts
 */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { main } from "assemblyscript/asc"

const source = fileURLToPath(new URL("optimisers.ts", import.meta.url))
const target = fileURLToPath(new URL("bytes.ts", import.meta.url))

/** The text of `bytes.ts` as it follows from the source. */
export const compile = async (): Promise<string> => {
  let binary: Uint8Array | undefined
  const { error, stderr } = await main(
    ["optimisers.ts", "--outFile", "out.wasm", "--importMemory", "--initialMemory", "1", "--runtime", "stub", "--noAssert", "-O3", "--enable", "simd"],
    {
      readFile: (name) => name === "optimisers.ts" ? readFileSync(source, "utf8") : null,
      writeFile: (name, contents) => {
        if (name === "out.wasm" && typeof contents !== "string") binary = contents
      },
      listFiles: () => []
    }
  )
  if (error !== null || binary === undefined) throw new Error(`optimisers.ts does not compile: ${stderr.toString()}`)
  const base64 = Buffer.from(binary).toString("base64").replace(/.{1,140}/g, (line) => `  "${line}",\n`)
  return `/** \`optimisers.ts\` as WebAssembly, base64. Written by \`build.ts\`; do not edit. */\nexport const bytes = [\n${base64.slice(0, -2)}\n].join("")\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(target, await compile())
