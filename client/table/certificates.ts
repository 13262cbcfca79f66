import type { Command } from '../command.ts';
import { loadAgent, loadSign, online } from '../load-part.ts';
import { ACTOR, PUBKEY, REQUEST, TTL } from './options.ts';

/** Certificates for whoever asks. */
export const CERTIFICATES: readonly Command[] = [
  {
    name: 'sign',
    summary: 'get a short-lived certificate for a public key that you hold',
    positionals: [ACTOR],
    options: {
      pubkey: PUBKEY,
      ...REQUEST,
      out: {
        type: 'string',
        short: 'o',
        value: 'FILE',
        summary: 'where the certificate goes (- is stdout)',
        complete: 'file',
      },
      'if-expiring': {
        type: 'string',
        value: 'TIME',
        summary: 'do nothing while the present certificate lasts longer than this',
      },
    },
    notes: [
      'Without --pubkey: the first of ~/.ssh/id_ed25519.pub, id_ecdsa.pub and id_rsa.pub, else the only key of the ssh-agent.',
      "The certificate lands beside the key as KEY-cert.pub, where ssh finds it; for an agent's key as ~/.ssh/warden-ACTOR-cert.pub. --pubkey - writes it to stdout.",
      'WARDEN_POLICY_SUBJECT is the subject that the decision point is asked about; without it, the actor.',
    ],
    examples: [
      { run: 'warden sign adm-example', says: 'a certificate for your default key, beside it' },
      { run: 'warden sign agt-ci --pubkey ci.pub --ttl 15m', says: 'for a quarter of an hour' },
      {
        run: 'warden sign atm-backup --pubkey backup.pub --if-expiring 1h',
        says: 'in a timer: renew when an hour is left',
      },
      { run: 'ssh-add -L | head -1 | warden sign adm-example --pubkey - > cert.pub', says: 'from stdin to stdout' },
    ],
    load: loadSign,
  },
  {
    name: 'issue',
    summary: 'make a new key pair here and get a certificate for it',
    positionals: [ACTOR],
    options: {
      type: {
        type: 'string',
        value: 'TYPE',
        summary: 'ed25519 (default), ecdsa-p256, ecdsa-p384, ecdsa-p521, rsa-3072 or rsa-4096',
        complete: ['ed25519', 'ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'rsa-3072', 'rsa-4096'],
      },
      ...REQUEST,
      out: {
        type: 'string',
        short: 'o',
        value: 'FILE',
        summary: 'the private key; beside it FILE.pub and FILE-cert.pub',
        complete: 'file',
      },
      force: { type: 'boolean', summary: 'replace a key that is there' },
      agent: { type: 'boolean', summary: 'put key and certificate into the running ssh-agent, write no file' },
    },
    notes: [
      'Only the public key travels. The private key is written with mode 0600, by default to ~/.ssh/warden-ACTOR, or goes into the ssh-agent for as long as the certificate lasts.',
    ],
    examples: [
      { run: 'warden issue agt-ci --ttl 1h --agent', says: 'a key that lives in the agent for an hour' },
      { run: 'warden issue atm-backup --out backup_key', says: 'backup_key, backup_key.pub and backup_key-cert.pub' },
    ],
    load: () => online('issue'),
  },
  {
    name: 'agent',
    summary: 'run an ssh-agent with short-lived certificates, renewed while they are used',
    positionals: [{ name: 'COMMAND', required: false, rest: true }],
    options: {
      actor: {
        type: 'string',
        value: 'ACTOR',
        multiple: true,
        summary: 'whose certificates it offers; repeatable. By default the one actor that admits you',
        complete: 'actor',
      },
      ttl: TTL,
      confirm: { type: 'boolean', summary: 'ask before each login, through SSH_ASKPASS' },
      forwarded: { type: 'boolean', summary: 'let hosts log in further by it (ssh -A); refused by default' },
      listen: { type: 'string', value: 'PATH', summary: "the agent's own socket", complete: 'file' },
      status: { type: 'boolean', summary: 'show what the running agent offers, and why something is not' },
      reason: { type: 'string', value: 'TEXT', summary: 'why, for the decision point and the ledger' },
      ticket: { type: 'string', value: 'ID', summary: 'a ticket, for the decision point and the ledger' },
      'id-token-file': {
        type: 'string',
        value: 'FILE',
        summary: 'a signed ID token, read at each issue; else WARDEN_ID_TOKEN',
        complete: 'file',
      },
    },
    notes: [
      'Keys are made here, and are never anywhere but in the memory of this process. A certificate is asked for at the first need, with every check and a ledger record, and renewed after two thirds of its life where it was used. It signs logins and nothing else.',
      'With a COMMAND: for as long as it runs, with SSH_AUTH_SOCK set. Without: until it is stopped; it prints SSH_AUTH_SOCK=… for a shell, and stays in the foreground. ssh-add -l, -L, -d, -D, -x and -X work; foreign keys are not taken.',
      '--status asks for what is missing, then tells: exit code 0 where everything is offered, 1 where something is not, 3 without an agent.',
    ],
    examples: [
      { run: 'warden agent --actor adm-example -- ssh bastion-1', says: 'one login, and nothing is left behind' },
      { run: 'warden agent --confirm', says: 'in a session or a user unit; ssh finds it by warden ssh-config' },
      { run: 'warden agent --status', says: 'until when, and why not' },
    ],
    load: loadAgent,
  },
];
