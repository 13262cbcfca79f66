/** One benchmark: ours and a baseline, measured alternately in the same run. */
export interface Benchmark {
  readonly name: string;
  /** Of `ours` and `baseline`. */
  readonly unit: 'ms' | 'per second' | 'MB' | 'MB/s';
  readonly baseline: string;
  /** What the ratio is to be, for the reader; nothing fails for missing it. */
  readonly aim: string;
  /** Pairs that are run and not counted; 1 where absent. */
  readonly warmUp?: number;
  setUp(): Promise<Measured>;
}

export interface Measured {
  /** One measurement. Throws where an answer that it would count is wrong. */
  ours(): Promise<number>;
  baseline(): Promise<number>;
  tearDown(): Promise<void>;
  /** What else was seen, for the table. */
  notes?(): string;
}

export interface Result {
  readonly name: string;
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
  readonly pairs: number;
  readonly ours: { readonly median: number; readonly unit: string };
  readonly baseline: { readonly name: string; readonly median: number; readonly unit: string };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Which of a pair comes first changes from pair to pair: what the machine does meanwhile then hits both alike. */
export async function measure(benchmark: Benchmark, pairs: number): Promise<{ result: Result; notes: string }> {
  const measured = await benchmark.setUp();
  try {
    // Until the compilers of both have done their work: a daemon runs for months, not for a thousand calls.
    for (let i = 0; i < (benchmark.warmUp ?? 1); i++) {
      await measured.baseline();
      await measured.ours();
    }
    const ours: number[] = [];
    const baseline: number[] = [];
    for (let pair = 0; pair < pairs; pair++) {
      if (pair % 2 === 0) baseline.push(await measured.baseline());
      ours.push(await measured.ours());
      if (pair % 2 === 1) baseline.push(await measured.baseline());
    }
    const ratios = ours.map((value, index) => value / (baseline[index] ?? Number.NaN));
    const { name, unit } = benchmark;
    return {
      notes: measured.notes?.() ?? '',
      result: {
        name,
        ratio: median(ratios),
        low: Math.min(...ratios),
        high: Math.max(...ratios),
        pairs,
        ours: { median: median(ours), unit },
        baseline: { name: benchmark.baseline, median: median(baseline), unit },
      },
    };
  } finally {
    await measured.tearDown();
  }
}
