import type { Command } from '../command.ts';
import { offline } from '../load-part.ts';
import { DATA_CLASS, DRILLS, MATURITY, POSTURE, STATE } from './options.ts';

/** The posture standard. */
export const POSTURE_COMMANDS: readonly Command[] = [
  {
    name: 'policy',
    summary: 'show the posture standard: tiers, maturity levels, data classes and the rule that joins them',
    positionals: [],
    options: { yaml: { type: 'boolean', summary: 'as security-posture.yaml, the descriptor itself' } },
    notes: ['What is shown is what wardend judges by; no config file changes it.'],
    examples: [{ run: 'warden policy', says: 'the standard as tables' }],
    load: () => offline('policy'),
  },
  {
    name: 'policy explain',
    summary: 'walk one case of the secret-flow lattice, clause by clause',
    positionals: [],
    options: {
      posture: { ...POSTURE, summary: 'of the environment that the workload runs in; required' },
      maturity: { ...MATURITY, summary: 'of the workload; required' },
      required: { ...MATURITY, summary: 'maturity that the secret requires; required' },
      class: { ...DATA_CLASS, summary: 'data class of the secret; required' },
    },
    notes: ['Exit code 0 where a real value may flow, 1 where it may not.'],
    examples: [
      {
        run: 'warden policy explain --posture prod --maturity M1 --required M1 --class confidential',
        says: 'which clause fails, and what it needed',
      },
    ],
    load: () => offline('policyExplain'),
  },
  {
    name: 'posture check',
    summary: 'judge a manifest of environments, workloads, secrets and flows by the posture standard',
    positionals: [{ name: 'MANIFEST', required: true, complete: 'file' }],
    options: {
      sarif: { type: 'boolean', summary: 'SARIF 2.1.0 on stdout' },
      junit: { type: 'boolean', summary: 'JUnit XML on stdout' },
      html: {
        type: 'string',
        value: 'FILE',
        summary: 'a page with the flow lattice drawn, beside the other output',
        complete: 'file',
      },
      live: {
        type: 'boolean',
        summary: 'ask the running daemon and its OpenBao too, with your own token, reading only',
      },
      environment: { type: 'string', value: 'ID', summary: 'with --live: the environment that the daemon serves' },
      ...DRILLS,
    },
    notes: [
      'Without --live reads the manifest (- is stdin) and nothing else. The manifest holds names; one that holds anything like a secret value is unusable, and what was found is told by its line only.',
      'Exit code 0 conforms, 1 with findings, 2 unusable.',
    ],
    examples: [
      { run: 'warden posture check posture.yaml', says: 'every finding with file, line and mend' },
      {
        run: 'warden posture check posture.yaml --sarif --html posture.html',
        says: 'for code scanning, and for people',
      },
    ],
    load: () => offline('postureCheck'),
  },
  {
    name: 'posture blocker',
    summary: 'classify a "blocked on security" by the five questions of the standard, and say what removes it',
    positionals: [],
    options: {
      posture: { ...POSTURE, summary: 'the posture of the work; without it, the questions are asked at the terminal' },
      maturity: { ...MATURITY, summary: 'of the workload' },
      required: { ...MATURITY, summary: 'maturity that the secret requires' },
      class: { ...DATA_CLASS, summary: 'data class of the secret' },
      route: { type: 'string', value: 'ROUTE', summary: 'the catalogued route, where there is one' },
      'exec-capable': { type: 'boolean', summary: 'its lane is exec-capable' },
      custody: {
        type: 'string',
        value: 'STATE',
        summary: 'unseal, break-glass and issuer custody: resolved (default) or unresolved',
        complete: ['resolved', 'unresolved'],
      },
    },
    notes: [
      'Exit code 0 whatever the class is: --json has it in class and blocks. What is not known is never taken for the better answer.',
    ],
    examples: [
      {
        run: 'warden posture blocker --posture prod --maturity M1 --required M2 --class internal',
        says: 'a real blocker, and the ways out of it',
      },
    ],
    load: () => offline('postureBlocker'),
  },
  {
    name: 'posture promote',
    summary: 'print and check the ceremony that takes a state folder one tier up, and put it on record',
    positionals: [{ name: 'MANIFEST', required: false, complete: 'file' }],
    options: {
      to: { type: 'string', value: 'POSTURE', summary: 'test or prod; required', complete: ['test', 'prod'] },
      environment: { type: 'string', value: 'ID', summary: 'the environment of the manifest that is promoted to' },
      'signed-off-by': { type: 'string', value: 'NAME', summary: 'the person who signs off' },
      reference: {
        type: 'string',
        value: 'DOCUMENT',
        multiple: true,
        summary: 'a document of the ceremony: its path, address or ticket; repeatable',
      },
      record: { type: 'boolean', summary: 'put the finished ceremony on record; a person at a terminal confirms it' },
      state: { ...STATE, summary: 'the state folder that is promoted' },
      ...DRILLS,
    },
    notes: [
      'The list: regenerated material, unseal model, break-glass, conformance, sign-off, documents. Only evidence is recorded: names, a digest of the manifest, who signed.',
      'A daemon refuses to start under another posture than its state folder is of, until a finished record is there.',
      'Exit code 0 every step holds, 1 some do not, 2 unusable.',
    ],
    examples: [
      { run: 'warden posture promote --to prod', says: 'the list' },
      {
        run: 'warden posture promote --to prod posture.yaml --signed-off-by "A. Steward" --reference docs/unseal-custody.md --record',
        says: 'checked, signed and recorded',
      },
    ],
    load: () => offline('posturePromote'),
  },
];
