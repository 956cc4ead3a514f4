/**
 * Compiles the AssemblyScript files beside it and writes their bytes as a module, so that no user needs a compiler and bundles carry them.
 * Run it after a change: node tensor/wasm/build.ts
 */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { main } from "assemblyscript/asc"

const target = fileURLToPath(new URL("bytes.ts", import.meta.url))

const base64Of = async (file: string): Promise<string> => {
  let binary: Uint8Array | undefined
  const { error, stderr } = await main(
    [file, "--outFile", "out.wasm", "--importMemory", "--initialMemory", "1", "--runtime", "stub", "--noAssert", "-O3", "--enable", "simd"],
    {
      readFile: (name) => name === file ? readFileSync(new URL(file, import.meta.url), "utf8") : null,
      writeFile: (name, contents) => {
        if (name === "out.wasm" && typeof contents !== "string") binary = contents
      },
      listFiles: () => []
    }
  )
  if (error !== null || binary === undefined) throw new Error(`${file} does not compile: ${stderr.toString()}`)
  return Buffer.from(binary).toString("base64").replace(/.{1,140}/g, (line) => `  "${line}",\n`).slice(0, -2)
}

/** The text of `bytes.ts` as it follows from the sources. */
export const compile = async (): Promise<string> => {
  const parts = ["/** The AssemblyScript files beside this one as WebAssembly, base64. Written by `build.ts`; do not edit. */"]
  for (const name of ["linear", "optimisers"]) parts.push(`export const ${name} = [\n${await base64Of(`${name}.ts`)}\n].join("")`)
  return `${parts.join("\n")}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(target, await compile())
