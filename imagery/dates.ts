/**
 * Dates in names of files and folders: common forms are found as they are, others by a pattern as Python's `strptime` takes it. Dates in fields
 * of tables are read as a whole: what is not understood to its end is no date.
 */
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"

interface Parts {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
}

const daysIn = (year: number, month: number): number =>
  month === 2 ? (year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31

/** UTC milliseconds; NaN where there is no such day or time (31 February, 25:00). */
const utc = ({ day, hour, minute, month, second, year }: Parts): number => {
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second >= 60) return Number.NaN
  const whole = Math.floor(second)
  return DateTime.toEpochMillis(DateTime.makeUnsafe({ year, month, day, hour, minute, second: whole, millisecond: Math.round((second - whole) * 1000) }))
}

/**
 * Year first, in four digits: 2017-06-13, 2017_06_13, 2017.06.13, 2017/06/13, 20170613; with a time after it as 10:10, 10:10:31.5Z,
 * 10:10+02:00, or, in six digits, T101031, _101031 or 101031. Every part is of bounded length, so a text is searched in linear time.
 */
const common =
  /(?<!\d)(1[89]\d\d|20\d\d)([-_./]?)(\d\d)\2(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d(?:\.\d{1,9})?))?(?:Z|([+-])(\d\d):?(\d\d))?|[T_]?([01]\d|2[0-3])([0-5]\d)([0-5]\d)Z?)?(?!\d)/g

/** The time of a match of `common`, or of `field`, whose groups are the same; NaN: there is none such. */
const timeFrom = ([, year, , month, day, hour, minute, second, sign, hours, minutes, h, m, s]: ReadonlyArray<string | undefined>): number => {
  const time = utc({ year: Number(year), month: Number(month), day: Number(day), hour: Number(hour ?? h ?? 0), minute: Number(minute ?? m ?? 0), second: Number(second ?? s ?? 0) })
  const east = sign === undefined ? 0 : (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes ?? 0))
  return time - east * 60_000
}

const commonIn = (text: string): number => {
  for (const match of text.matchAll(common)) {
    const time = timeFrom(match)
    if (!Number.isNaN(time)) return time
  }
  return Number.NaN
}

/** The same with nothing around it; times also as tables have them: 9:05, 10:00:00 +0200, 10:00+02, 10:00 UTC. */
const field =
  /^(1[89]\d\d|20\d\d)([-_./]?)(\d\d)\2(\d\d)(?:[T ](\d\d?):(\d\d)(?::(\d\d(?:\.\d{1,9})?))?(?: ?(?:Z|UTC|([+-])([01]\d)(?::?([0-5]\d))?))?|[T_]?([01]\d|2[0-3])([0-5]\d)([0-5]\d)Z?)?$/

/**
 * The time that a field is (2017-06-13, 2017-06-13T10:10:31Z, 2017-06-13 9:05 +02:00), as UTC milliseconds; UTC where no zone is given. NaN where the field
 * as a whole is none of the common forms: a time that is not understood (10:00 PM) is no midnight.
 */
export const timeOf = (text: string): number => {
  const match = field.exec(text.trim())
  return match === null ? Number.NaN : timeFrom(match)
}

// ---- patterns -----------------------------------------------------------------------------------------------------------------

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
const directives: Readonly<Record<string, string>> = {
  Y: "(?<Y>\\d{4})",
  y: "(?<y>\\d\\d)",
  m: "(?<m>\\d\\d)",
  b: `(?<b>${months.join("|")})`,
  d: "(?<d>\\d\\d)",
  j: "(?<j>\\d{3})",
  H: "(?<H>\\d\\d)",
  M: "(?<M>\\d\\d)",
  S: "(?<S>\\d\\d)",
  "%": "%"
}

/** The pieces of a pattern: directives as `%Y`, and what stands between them. */
const pieces = (pattern: string): ReadonlyArray<string> => pattern.match(/%.?|[^%]+/gs) ?? []

/** What is wrong with a pattern; undefined: nothing. */
const mistakeIn = (pattern: string): string | undefined => {
  const used = pieces(pattern).filter((piece) => piece.startsWith("%") && piece !== "%%")
  const unknown = used.find((piece) => directives[piece.slice(1)] === undefined)
  if (unknown !== undefined) return `"${unknown}" in the date pattern "${pattern}" is not known; there are %Y %y %m %b %d %j %H %M %S and %%`
  const twice = used.find((piece, i) => used.indexOf(piece) !== i)
  if (twice !== undefined) return `${twice} stands twice in the date pattern "${pattern}"`
  if (!used.includes("%Y") && !used.includes("%y")) return `the date pattern "${pattern}" has no year: as %Y-%m-%d, %d.%m.%Y or %Y%j`
  return undefined
}

/** A pattern is literal text between directives of fixed width, never a regular expression of the user's: no text can make it slow. */
const compile = (pattern: string): RegExp => {
  const parts = pieces(pattern)
  const digit = (piece: string | undefined, at: 0 | -1) => piece !== undefined && (piece.startsWith("%") ? piece !== "%%" && piece !== "%b" : /\d/.test(piece.at(at)!))
  const source = parts.map((piece) => piece.startsWith("%") ? directives[piece[1]!]! : piece.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")).join("")
  return new RegExp(`${digit(parts[0], 0) ? "(?<!\\d)" : ""}${source}${digit(parts.at(-1), -1) ? "(?!\\d)" : ""}`, "gi")
}

const matchedIn = (form: RegExp) => (text: string): number => {
  for (const { groups = {} } of text.matchAll(form)) {
    const { H = "0", M = "0", S = "0", Y, b, d, j, m, y } = groups
    // POSIX: 69 to 99 are of the last century
    const year = Y === undefined ? Number(y) + (Number(y) < 69 ? 2000 : 1900) : Number(Y)
    let month = b === undefined ? Number(m ?? 1) : months.indexOf(b.toLowerCase()) + 1, day = Number(d ?? 1)
    if (j !== undefined) {
      for (month = 1, day = Number(j); month < 12 && day > daysIn(year, month); month++) day -= daysIn(year, month)
    }
    const time = utc({ year, month, day, hour: Number(H), minute: Number(M), second: Number(S) })
    if (!Number.isNaN(time)) return time
  }
  return Number.NaN
}

/**
 * A function that gives the first date in a text as UTC milliseconds; NaN: none.
 *
 * Without a pattern, forms that begin with the year are found (20170613T101031, 2017-06-13, 2017/06/13 ...): what 03.04.2017 means, no
 * program can know, so day first and month first need a pattern. A pattern is as Python's `strptime` has it: %Y (2017), %y (17), %m, %b
 * (Jun), %d, %j (day of the year), %H, %M, %S, %%; any other text stands for itself; month and day are 1 where they are not in it. It
 * must have passed `DatePattern`.
 */
export const dateReader = (pattern?: string): (text: string) => number => pattern === undefined ? commonIn : matchedIn(compile(pattern))

/** A pattern that `dateReader` takes; fails with what is wrong with it. */
export const DatePattern = Schema.NonEmptyString.annotate({
  description: "how the date stands in the name, as Python's strptime has it (\"%d.%m.%Y\", \"%Y%j\"); without, 20170613T101031, 2017-06-13 and the like are found"
}).check(Schema.makeFilter((pattern) => mistakeIn(pattern) ?? true))

/** The first date in a text in one of the common forms (2017-06-13T10:10:31Z, 20170613T101031, 2017/06/13), as UTC milliseconds; NaN: none. */
export const timeIn = dateReader()

/** The parameter of readers that take dates from names. */
export const dating = { date: Schema.optionalKey(DatePattern) }
