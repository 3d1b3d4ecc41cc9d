/** What wraps each of a runtime's reasons: the names of the layers that it came through, and the reference that the caller knows. */
const wrappers: readonly RegExp[] = [
  /failed to create containerd task: /,
  /failed to create shim task: /,
  /OCI runtime create failed: /,
  /runc create failed: /,
  /unable to start container process: /,
  /rpc error: code = \w+ desc = /,
  /failed to pull and unpack image "[^"]*": /,
  /failed to resolve reference "[^"]*": /,
  /failed to do request: /,
];

/**
 * A runtime's reason in short: without the layers that it came through, and without what differs from one attempt to the next (the port that a
 * question was sent from, the id of a sandbox), so that equal failures read equal. What is not known stays as it is.
 */
export function shortMessage(message: string): string {
  let short = message;
  for (const wrapper of wrappers) short = short.replace(wrapper, '');
  short = short.replace(/(containerd-mount)\d+/g, '$1').replace(/(?<!sha256:)\b[0-9a-f]{64}\b/g, '...');
  short = short.replace(/ (?:\d+\.\d+\.\d+\.\d+|\[[0-9a-f:]+\]):\d+->/g, ' ').replace(/: unknown$/, '');
  return short === '' ? message : short;
}
