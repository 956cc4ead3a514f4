/** Metrics where less is better. */
const lower = new Set(["mse", "log_loss", "ece", "mae", "median_km", "baseline_median_km"])

/** Whether a value of a metric (`task.metric`) is better than another. */
export const better = (metric: string, a: number, b: number): boolean => lower.has(metric.split(".").at(-1)!.replace(" (pooled)", "")) ? a < b : a > b
