import { column, table } from "./table.ts"

/** How a training went, one row an epoch. Seconds are not here: time belongs to the action, not to the content. */
export const History = table({
  name: "history",
  description: "how a training went, one row an epoch",
  key: [],
  columns: {
    epoch: column("integer", "from 1"),
    step: column("integer", "optimiser steps so far"),
    train_loss: column("number", "mean of the epoch's batches"),
    val_loss: column("number", "on the validation rows; NaN: none"),
    active: column("number", "share of the terms of the loss that are not zero; NaN: not counted", { optional: true })
  }
})
