import type { ReasonCode } from '../src/kernel/reason.ts';
import { AUTHORITY_PAGES } from './pages/authority.ts';
import { CALLER_PAGES } from './pages/caller.ts';
import { COMMAND_PAGES } from './pages/command.ts';
import { DAEMON_PAGES } from './pages/daemon.ts';
import { GATE_PAGES } from './pages/gate.ts';
import { type Page, page } from './pages/page.ts';
import { REQUEST_PAGES } from './pages/request.ts';
import { RESTRAINTS_PAGES } from './pages/restraints.ts';
import { ROUTE_PAGES } from './pages/route.ts';

/** Of every reason: the compiler keeps this complete. */
export const PAGES: Readonly<Record<ReasonCode, Page>> = {
  ...CALLER_PAGES,
  ...REQUEST_PAGES,
  ...RESTRAINTS_PAGES,
  ...GATE_PAGES,
  ...ROUTE_PAGES,
  ...COMMAND_PAGES,
  ...AUTHORITY_PAGES,
  ...DAEMON_PAGES,
};

/** Reasons that come with an allow, not with an error. */
export const ALLOW_PAGES: Readonly<Record<string, Page>> = {
  signing_policy_matched: page(
    'The decision point said yes: a rule of the signing policy matched.',
    ['Subject, type, principals and lifetime are as the registry has them.'],
    ['Nothing: this is the reason of an allow.'],
  ),
};
