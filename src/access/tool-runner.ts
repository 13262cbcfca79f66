import type { AttestedConnection } from '../callers/connection.ts';
import type { Secret } from '../kernel/secret.ts';

export interface ToolRequest {
  /** Placeholders filled in. */
  readonly argv: readonly string[];
  /** As whom, and where. */
  readonly connection: AttestedConnection;
  /** The caller's OpenBao token, where the owner is OpenBao. */
  readonly token: Secret | null;
  readonly signal: AbortSignal;
}

/** Runs the owner's own tool. A port: operations know this and nothing of processes. */
export interface ToolRunner {
  /** The file that `run` would start. @throws WardenError tool_failed | route_unusable | caller_confined */
  find(request: Pick<ToolRequest, 'argv' | 'connection'>): Promise<string>;
  /** All that it wrote to stdout, ending well. @throws WardenError tool_failed | route_unusable */
  run(request: ToolRequest): Promise<Secret>;
}
