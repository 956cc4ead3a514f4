/** Bands of Sentinel-1 and Sentinel-2: their names, however they are written, and the order that collections keep them in. */

/** Bands of Sentinel-2's surface reflectance (L2A): all but B10, which sees the air only. */
export const sentinel2 = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"] as const

/** Polarisations of Sentinel-1 over land. */
export const sentinel1 = ["VV", "VH"] as const

/**
 * The 13 bands of EuroSAT's TIFFs: B8A is the last (EuroSAT, arXiv 1709.00029; the files name no bands, the order is that of torchgeo's
 * reader and of the authors' table).
 */
export const eurosat = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12", "B8A"] as const

/** One way to write a band: B2, b02 and B002 are B02; B8a and B08A are B8A; vv is VV. Other names stay as they are. */
export const bandName = (name: string): string => {
  const [, digits, narrow] = /^B0*(\d{1,2})(A?)$/i.exec(name) ?? []
  if (digits !== undefined && narrow === "" && Number(digits) >= 1 && Number(digits) <= 12) return `B${digits.padStart(2, "0")}`
  if (digits === "8") return "B8A"
  return /^[VH][VH]$/i.test(name) ? name.toUpperCase() : name
}
