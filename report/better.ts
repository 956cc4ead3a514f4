/** Last words of metrics where less is better, those of the built-in probes (mse, log_loss, ece, median_km) and what a probe of one's own may call its errors. */
const lower = /(?:^|[_-])(?:mse|rmse|mae|mape|loss|nll|ece|brier|perplexity|error|error_rate|km|metres)$/

/** Whether less of a metric (`task.metric`) is better, by its name. */
export const lessIsBetter = (metric: string): boolean => lower.test(metric.split(".").at(-1)!.replace(" (pooled)", "").toLowerCase())

/** Whether a value of a metric (`task.metric`) is better than another. */
export const better = (metric: string, a: number, b: number): boolean => lessIsBetter(metric) ? a < b : a > b
