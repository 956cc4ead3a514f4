/**
 * `npm run tfjs [-- --cuda]`: gives @tensorflow/tfjs-node-gpu (or tfjs-node, where that is installed) its native binding, without which
 * `--backend tfjs` does not run. Exits with 0 only where the binding works; does nothing where it already does.
 *
 * First the package's own download. Where that is out of reach, TensorFlow's library and C headers come out of the PyPI wheel, and the
 * package's own C++ binding is compiled against them (Linux x86-64; needs g++ and python3 with pip; about 200 MB, with --cuda several GB).
 * The CPU library by default. `npm ci` removes what this makes: run it again then.
 */
import { spawnSync } from "node:child_process"
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { delimiter, dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const root = dirname(fileURLToPath(import.meta.url))
const cuda = process.argv.includes("--cuda")
const packages = createRequire(join(root, "package.json"))
const say = (text) => console.log(`tfjs: ${text}`)
const fail = (text) => {
  console.error(`tfjs: ${text}`)
  process.exit(1)
}

/** Runs a program; its output is shown only where it fails. */
const run = (command, args, options = {}) => {
  const { error, signal, status, stderr, stdout } = spawnSync(command, args, { encoding: "utf8", maxBuffer: 2 ** 26, ...options })
  const reason = error?.message ?? (signal === null ? `exit code ${status}` : `killed by ${signal}`)
  return { ok: status === 0, stdout: (stdout ?? "").trim(), what: `${command} ${args[0] ?? ""}: ${reason}\n${`${stdout ?? ""}${stderr ?? ""}`.trim().split("\n").slice(-8).join("\n")}` }
}
const must = (command, args, options) => {
  const result = run(command, args, options)
  return result.ok ? result.stdout : fail(result.what)
}

const locate = () => {
  for (const name of ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"]) {
    try {
      return { name, folder: dirname(packages.resolve(`${name}/package.json`)) }
    } catch { /* not installed: the next one */ }
  }
  return fail("neither @tensorflow/tfjs-node-gpu nor @tensorflow/tfjs-node is installed; `npm install --ignore-scripts @tensorflow/tfjs-node-gpu` brings the first")
}
const { folder, name } = locate()

/** Loads the package in a process of its own and multiplies two matrices; prints TensorFlow's version. */
const check = () => run(process.execPath, ["--no-deprecation", "-e", `
  const tf = require(process.argv[1]), v = tf.matMul(tf.ones([2, 3]), tf.ones([3, 2])).dataSync()
  if (v.length !== 4 || v.some((x) => x !== 3)) throw new Error("a wrong product")
  console.log(tf.backend().binding.TF_Version)`, folder], { env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: "3" } })

const download = () => {
  const kind = cuda ? "gpu" : "cpu"
  const address = `${process.env.TFJS_NODE_CDN_STORAGE ?? process.env.CDN_STORAGE ?? "https://storage.googleapis.com/"}tensorflow/libtensorflow/libtensorflow-${kind}-linux-x86_64-2.9.1.tar.gz`
  const reach = run(process.execPath, ["-e", "fetch(process.argv[1], { method: 'HEAD', signal: AbortSignal.timeout(15000) }).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))", address],
    { env: { ...process.env, NODE_USE_ENV_PROXY: "1" } })
  if (!reach.ok) return say("the package's own download is out of reach")
  say(`the package downloads its ${kind} library and binding`)
  // Its script edits its package.json and, where it fails, leaves it so.
  const kept = join(folder, "package.json.kept")
  copyFileSync(join(folder, "package.json"), kept)
  const PATH = [join(root, "node_modules", ".bin"), process.env.PATH].join(delimiter)
  const installed = run(process.execPath, ["scripts/install.js", kind, "download"], { cwd: folder, timeout: 900_000, env: { ...process.env, PATH } })
  renameSync(kept, join(folder, "package.json"))
  if (!installed.ok) say(`that failed: ${installed.what}`)
}

/** A folder with node_api.h: what is installed, or the package that carries it. */
const headers = (scratch) => {
  const near = [join(root, "node_modules", "node-api-headers", "include"), resolve(process.execPath, "../../include/node")]
  const found = near.find((candidate) => existsSync(join(candidate, "node_api.h")))
  if (found !== undefined) return found
  must("npm", ["pack", "--silent", "--pack-destination", scratch, "node-api-headers@1"], { cwd: scratch })
  must("tar", ["xzf", readdirSync(scratch).find((file) => file.endsWith(".tgz"))], { cwd: scratch })
  return join(scratch, "package", "include")
}

const compile = () => {
  if (`${process.platform} ${process.arch}` !== "linux x64") fail(`there is no wheel to build from for ${process.platform} ${process.arch}; run this again where the package's own download is in reach`)
  for (const [command, args] of [["g++", ["--version"]], ["python3", ["-m", "pip", "--version"]]]) {
    if (!run(command, args).ok) fail(`needs ${command === "g++" ? "g++" : "python3 with pip"} to build the binding from TensorFlow's wheel`)
  }
  const binding = createRequire(join(folder, "package.json"))("@mapbox/node-pre-gyp").find(join(folder, "package.json"))
  const napi = /napi-v(\d+)/.exec(binding)[1], lib = dirname(dirname(binding))
  const scratch = mkdtempSync(join(folder, ".build-"))
  process.on("exit", () => rmSync(scratch, { recursive: true, force: true }))
  const wheels = join(scratch, "wheels"), out = join(scratch, "out")
  const fetchWheels = (specifications) => must("python3", ["-m", "pip", "download", "-qq", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", "3.11",
    ...["manylinux2014", "manylinux_2_17", "manylinux_2_27", "manylinux_2_28"].flatMap((platform) => ["--platform", `${platform}_x86_64`]), "-d", wheels, ...specifications])
  const extract = (prefix, pattern) => must("python3", ["-c", `
import glob, re, sys, zipfile
for wheel in glob.glob(sys.argv[1]):
    with zipfile.ZipFile(wheel) as z:
        for name in z.namelist():
            if re.search(sys.argv[3], name): z.extract(name, sys.argv[2])`, join(wheels, `${prefix}*.whl`), out, pattern])

  // The versions that the binding of tfjs 4.22 was seen to work with; the larger one brings CUDA 12 with its requirements.
  const wheel = cuda ? "tensorflow==2.21.0" : "tensorflow-cpu==2.15.1"
  say(`fetching ${wheel} from PyPI`)
  fetchWheels([wheel])
  extract("tensorflow", String.raw`^tensorflow/(libtensorflow_(cc|framework)\.so\.2$|include/(tensorflow|tsl|xla)/(.*/)?(c|platform)/.*\.h$)|METADATA$`)
  if (cuda) {
    const metadata = readFileSync(join(out, readdirSync(out).find((file) => file.endsWith(".dist-info")), "METADATA"), "utf8")
    const needed = [...metadata.matchAll(/^Requires-Dist: (nvidia-[^;]+);/gm)].map(([, specification]) => specification.replace(/[() ]/g, "")).filter((specification) => !specification.includes("nvcc"))
    say(`fetching ${needed.length} CUDA libraries from PyPI`)
    fetchWheels(needed)
    extract("nvidia_", String.raw`^nvidia/[^/]+/lib/.*\.so`)
  }
  rmSync(wheels, { recursive: true })
  const tensorflow = join(out, "tensorflow"), libraries = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"].map((file) => join(tensorflow, file))
  const sources = readdirSync(join(folder, "binding")).filter((file) => file.endsWith(".cc")).map((file) => join(folder, "binding", file))
  say("compiling the binding")
  must("g++", ["-std=c++17", "-O2", "-fPIC", "-shared", `-DNAPI_VERSION=${napi}`, "-I", headers(scratch), "-I", join(tensorflow, "include"), ...sources,
    "-o", join(scratch, "tfjs_binding.node"), ...libraries, "-Wl,-rpath,$ORIGIN/../tensorflow"])
  run("strip", ["--strip-unneeded", ...libraries])
  rmSync(join(tensorflow, "include"), { recursive: true })
  // Beside the binding, not in deps/, which the package's own script empties.
  rmSync(lib, { recursive: true, force: true })
  mkdirSync(dirname(binding), { recursive: true })
  for (const part of readdirSync(out).filter((file) => !file.endsWith(".dist-info"))) renameSync(join(out, part), join(lib, part))
  renameSync(join(scratch, "tfjs_binding.node"), binding)
}

const before = check()
if (before.ok) {
  say(`${name} works already, TensorFlow ${before.stdout}`)
} else {
  if (existsSync(join(folder, "lib")) || existsSync(join(folder, "deps"))) say(`${name} does not load: ${before.what}`)
  download()
  if (!check().ok) compile()
  const after = check()
  if (!after.ok) fail(`${name} has a binding now, but does not load: ${after.what}`)
  say(`${name} works, TensorFlow ${after.stdout}`)
}
