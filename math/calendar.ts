/** Days and months of UTC, as numbers that samples' times compare with. */
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"

/** The beginning of a day written 2022-06-01, UTC milliseconds since 1970; NaN: there is no such day. */
export const dayOf = (text: string): number =>
  // a day beyond the end of its month would be taken for one of the next
  Option.match(/^\d{4}-\d{2}-\d{2}$/.test(text) ? DateTime.make(`${text}T00:00:00Z`) : Option.none(), {
    onNone: () => Number.NaN,
    onSome: (day) => DateTime.formatIsoDateUtc(day) === text ? DateTime.toEpochMillis(day) : Number.NaN
  })

/** The month, 1 to 12, of a time in UTC milliseconds since 1970. */
export const monthOf = (time: number): number => DateTime.toPartsUtc(DateTime.makeUnsafe(time)).month
