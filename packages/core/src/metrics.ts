/** Labels of a measurement. */
export type MetricLabels = Readonly<Record<string, string>>

/**
 * Where the SDK counts what it does. Names: `slotkeeper_acquired_total`, `slotkeeper_refused_total` (reason), `slotkeeper_released_total`,
 * `slotkeeper_lost_total` (reason), `slotkeeper_wait_seconds`, `slotkeeper_held_seconds`, `slotkeeper_heartbeats_total` (result),
 * `slotkeeper_store_errors_total` (code), `slotkeeper_slots_held`, `slotkeeper_waiters`. Every one but the last two carries `driver`.
 */
export interface Metrics {
  /** Adds to a counter. */
  count(name: string, labels: MetricLabels, by?: number): void
  /** Adds a value to a histogram. */
  observe(name: string, value: number, labels: MetricLabels): void
  /** Sets a gauge. */
  gauge(name: string, value: number, labels: MetricLabels): void
}

/** Counts nothing. */
export const silentMetrics: Metrics = Object.freeze({ count() {}, observe() {}, gauge() {} })
