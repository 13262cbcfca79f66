import type { Command } from '../command.ts';
import { online } from '../load-part.ts';
import { PUBKEY, TTL } from './options.ts';

/** What hosts get, and what is written for reaching them. */
export const HOSTS: readonly Command[] = [
  {
    name: 'host-cert',
    summary: 'get a host certificate for sshd, over the host key of this machine',
    positionals: [{ name: 'HOST', required: true }],
    options: {
      pubkey: { ...PUBKEY, summary: 'the host key (- is stdin); /etc/ssh/ssh_host_ed25519_key.pub by default' },
      ttl: TTL,
      principal: {
        type: 'string',
        value: 'NAME',
        multiple: true,
        summary: "only these of the host's names; repeatable",
      },
      out: {
        type: 'string',
        short: 'o',
        value: 'FILE',
        summary: 'where to (- is stdout); beside the key by default',
        complete: 'file',
      },
      'if-expiring': {
        type: 'string',
        value: 'TIME',
        summary: 'do nothing while the present certificate lasts longer (7d, 12h)',
      },
      reason: { type: 'string', value: 'TEXT', summary: 'why, for the decision point and the ledger' },
      ticket: { type: 'string', value: 'ID', summary: 'a ticket, for the decision point and the ledger' },
    },
    notes: [
      'For hosts with a host_certificate in inventory.yaml, and for callers that its callers name.',
      'Then HostCertificate FILE in sshd_config; clients trust it with the lines of `warden known-hosts`.',
    ],
    examples: [
      { run: 'warden host-cert bastion-1', says: 'writes /etc/ssh/ssh_host_ed25519_key-cert.pub' },
      { run: 'warden host-cert bastion-1 --if-expiring 7d', says: 'for a timer' },
    ],
    load: () => online('hostCert'),
  },
  {
    name: 'ssh-config',
    summary: "make `ssh HOST` work by itself for the inventory's hosts: addresses, agent, host authorities",
    positionals: [],
    options: {
      write: { type: 'boolean', summary: 'write ~/.ssh/warden_config and include it at the top of ~/.ssh/config' },
      uninstall: { type: 'boolean', summary: 'take both away again; the rest of ~/.ssh/config stays byte for byte' },
      listen: {
        type: 'string',
        value: 'PATH',
        summary: "the agent's socket, where it is not the default",
        complete: 'file',
      },
    },
    notes: [
      'Without --write it prints the file. A second --write brings it up to date, and says where nothing changed.',
      'Where there is no certificate, `ssh HOST` says why before it goes on: the file has it ask `warden agent --status`.',
    ],
    examples: [
      { run: 'warden ssh-config', says: 'what would be written' },
      { run: 'warden ssh-config --write', says: 'then: ssh bastion-1' },
      { run: 'warden ssh-config --uninstall', says: 'as it was before' },
    ],
    load: () => online('sshConfig'),
  },
  {
    name: 'known-hosts',
    summary: 'print the @cert-authority lines by which ssh trusts the hosts of the inventory',
    positionals: [],
    options: {
      output: { type: 'string', short: 'o', value: 'FILE', summary: 'where to; stdout by default', complete: 'file' },
    },
    notes: ['One line for each authority key that is published, over the names of all hosts that have a certificate.'],
    examples: [{ run: 'warden known-hosts >> ~/.ssh/known_hosts', says: 'no more questions about host keys' }],
    load: () => online('knownHosts'),
  },
];
