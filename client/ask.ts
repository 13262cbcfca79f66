import { createInterface } from 'node:readline/promises';

/** Asks a person at a terminal, on stderr so that stdout stays what was asked for. */
export async function withQuestions<Result>(
  use: (ask: (question: string) => Promise<string>) => Promise<Result>,
): Promise<Result> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await use(async (question) => (await lines.question(question)).trim());
  } finally {
    lines.close();
  }
}
