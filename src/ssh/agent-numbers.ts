/** Message numbers of the ssh-agent protocol (draft-ietf-sshm-ssh-agent), for both of its ends. */
export const FAILURE = 5;
export const SUCCESS = 6;
/** Of protocol 1: `ssh-add -D` sends it along, and ssh-agent says that it is done. */
export const REMOVE_ALL_RSA_IDENTITIES = 9;
export const REQUEST_IDENTITIES = 11;
export const IDENTITIES_ANSWER = 12;
export const SIGN_REQUEST = 13;
export const SIGN_RESPONSE = 14;
export const ADD_IDENTITY = 17;
export const REMOVE_IDENTITY = 18;
export const REMOVE_ALL_IDENTITIES = 19;
export const LOCK = 22;
export const UNLOCK = 23;
export const ADD_ID_CONSTRAINED = 25;
export const EXTENSION = 27;
export const EXTENSION_FAILURE = 28;
export const EXTENSION_RESPONSE = 29;

/** What ssh-agent itself accepts and sends at most (AGENT_MAX_LEN), without the four bytes of length before it. */
export const MAX_FRAME = 256 * 1024;
