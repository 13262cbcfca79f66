import { type Facts, factsHold } from './facts.ts';
import { parseInventory, parseSettings } from './parse.ts';
import { parseRoutes } from './parse-routes.ts';
import type { ConfigParser } from './parser.ts';
import { systemFacts } from './system-facts.ts';

/** Parses where it is called: for offline commands and tests. `facts` is asked for anew with every parse. */
export function inProcessParser(facts: () => Facts = systemFacts): ConfigParser {
  return {
    settings: async (source, configDir) => parseSettings(source, configDir, facts()),
    inventory: async (source, context) => parseInventory(source, context, facts()),
    routes: async (source, context) => parseRoutes(source, context),
    factsHold: async (record) => factsHold(record, facts()),
    close: async () => {},
  };
}
