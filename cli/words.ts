/**
 * One rule for the arguments of every command: what ends in .yaml is the pipeline, what has `=` picks cells (globs allowed), the rest names a
 * stage, stage.port or metric.
 */
export interface Words {
  readonly file: string
  /** Axis to patterns. */
  readonly picks: Readonly<Record<string, ReadonlyArray<string>>>
  readonly names: ReadonlyArray<string>
}

export const readWords = (words: ReadonlyArray<string>): Words => {
  let file = "pipeline.yaml"
  const picks: Record<string, Array<string>> = {}, names: Array<string> = []
  for (const word of words) {
    const at = word.indexOf("=")
    if (/\.ya?ml$/.test(word)) file = word
    else if (at > 0) (picks[word.slice(0, at)] ??= []).push(...word.slice(at + 1).split(","))
    else names.push(word)
  }
  return { file, picks, names }
}

/** `2GB`, `512MB` or plain bytes. */
export const readBytes = (text: string): number | undefined => {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$/i.exec(text.trim())
  return match === null ? undefined : Number(match[1]) * 1024 ** " kmgt".indexOf(match[2]!.toLowerCase() || " ")
}

/** Milliseconds of `30d`, `12h` or `2w`. */
export const readAge = (text: string): number | undefined => {
  const match = /^(\d+(?:\.\d+)?)([hdw])$/.exec(text.trim()), hour = 3_600_000
  return match === null ? undefined : Number(match[1]) * { h: hour, d: 24 * hour, w: 168 * hour }[match[2] as "h" | "d" | "w"]
}

/** Bytes as a person reads them. */
export const showBytes = (bytes: number): string => {
  const units = ["B", "kB", "MB", "GB", "TB"]
  let value = bytes, unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`
}

/** Seconds as a person reads them. */
export const showSeconds = (seconds: number): string => {
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds), minutes = Math.round(seconds / 60)
  return whole < 3600 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
