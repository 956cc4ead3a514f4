/**
 * The land cover classes of BigEarthNet: 43 of the 44 of CORINE Land Cover 2018, level 3 (no patch has "Glaciers and perpetual snow"), and
 * the 19 of its new nomenclature (Sumbul et al. 2020, arXiv 2001.06372; the table as in torchgeo's reader): 32 classes are kept or brought
 * together, the other 11 are left out. Names are spelled as in `labels_metadata.json` (v1) and `metadata.parquet` (v2).
 */
import { suggest } from "../schemas/spelling.ts"

/** Each of the 43 classes and its class among the 19; null: left out. */
const nomenclature: Readonly<Record<string, string | null>> = {
  "Continuous urban fabric": "Urban fabric",
  "Discontinuous urban fabric": "Urban fabric",
  "Industrial or commercial units": "Industrial or commercial units",
  "Road and rail networks and associated land": null,
  "Port areas": null,
  "Airports": null,
  "Mineral extraction sites": null,
  "Dump sites": null,
  "Construction sites": null,
  "Green urban areas": null,
  "Sport and leisure facilities": null,
  "Non-irrigated arable land": "Arable land",
  "Permanently irrigated land": "Arable land",
  "Rice fields": "Arable land",
  "Vineyards": "Permanent crops",
  "Fruit trees and berry plantations": "Permanent crops",
  "Olive groves": "Permanent crops",
  "Pastures": "Pastures",
  "Annual crops associated with permanent crops": "Permanent crops",
  "Complex cultivation patterns": "Complex cultivation patterns",
  "Land principally occupied by agriculture, with significant areas of natural vegetation":
    "Land principally occupied by agriculture, with significant areas of natural vegetation",
  "Agro-forestry areas": "Agro-forestry areas",
  "Broad-leaved forest": "Broad-leaved forest",
  "Coniferous forest": "Coniferous forest",
  "Mixed forest": "Mixed forest",
  "Natural grassland": "Natural grassland and sparsely vegetated areas",
  "Moors and heathland": "Moors, heathland and sclerophyllous vegetation",
  "Sclerophyllous vegetation": "Moors, heathland and sclerophyllous vegetation",
  "Transitional woodland/shrub": "Transitional woodland, shrub",
  "Beaches, dunes, sands": "Beaches, dunes, sands",
  "Bare rock": null,
  "Sparsely vegetated areas": "Natural grassland and sparsely vegetated areas",
  "Burnt areas": null,
  "Inland marshes": "Inland wetlands",
  "Peatbogs": "Inland wetlands",
  "Salt marshes": "Coastal wetlands",
  "Salines": "Coastal wetlands",
  "Intertidal flats": null,
  "Water courses": "Inland waters",
  "Water bodies": "Inland waters",
  "Coastal lagoons": "Marine waters",
  "Estuaries": "Marine waters",
  "Sea and ocean": "Marine waters"
}

/** The 43 classes, in the order of their CORINE codes. */
export const classes43: ReadonlyArray<string> = Object.keys(nomenclature)

/** The 19 classes, in the order of the first of theirs among the 43. */
export const classes19: ReadonlyArray<string> = [...new Set(Object.values(nomenclature))].filter((name) => name !== null)

/** What is wrong with labels of a nomenclature, in words; undefined: nothing. */
export const strange = (labels: ReadonlyArray<string>, among: ReadonlyArray<string>): string | undefined => {
  const label = labels.find((name) => !among.includes(name))
  return label === undefined ? undefined : `"${label}" is none of the ${among.length} classes of BigEarthNet${suggest(label, among)}`
}

/** The classes among the 19 that labels of the 43 stand for, each once; none where all of theirs are left out. */
export const to19 = (labels: ReadonlyArray<string>): ReadonlyArray<string> => {
  const found = new Set(labels.map((label) => nomenclature[label]))
  return classes19.filter((name) => found.has(name))
}
