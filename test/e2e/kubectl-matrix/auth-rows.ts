/** Who one is, what one may, and the credentials that kubectl asks for. */
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { createSigningRequest } from '#rpc/signing-request';
import { eventually } from '../../harness/commands.ts';
import { type Bench, field, file, prints, type Row } from './bench.ts';

export const authRows: readonly Row[] = [
  prints('auth can-i create pods', '`yes`', /^yes$/m),
  {
    command: 'auth can-i list pods --as=USER',
    does: '`no`, and ends with 1',
    check: async ({ kubectl, namespace }) => {
      for (const user of ['jane', `system:serviceaccount:${namespace}:default`]) {
        const answer = await kubectl.run(['-n', namespace, 'auth', 'can-i', 'list', 'pods', `--as=${user}`]);
        expect(answer).toMatchObject({ code: 1, stdout: expect.stringMatching(/^no\b/) });
      }
    },
  },
  prints('auth can-i --list', 'what the user may do', /\*\.\* +\[\] +\[\] +\[\*\]/),
  prints(
    'auth can-i --list --as=jane',
    'what every user may do',
    /selfsubjectaccessreviews\.authorization\.k8s\.io +\[\] +\[\] +\[create\][\s\S]* \[\/version\] +\[\] +\[get\]/,
  ),
  prints('auth whoami', 'the name and groups of the user', /Username +berth-admin[\s\S]*system:masters/),
  prints('auth whoami --as=jane --as-group=team', 'the one that it acts as', /Username +jane *\nGroups +\[team system:authenticated\]/),
  {
    command: 'auth reconcile -f FILE',
    does: 'roles and bindings with at least what the file says',
    check: async (bench) => {
      const role = (...resources: string[]): string =>
        file(bench, 'reconciled', {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'Role',
          metadata: { name: 'reconciled', namespace: bench.namespace },
          rules: [{ apiGroups: [''], resources, verbs: ['get'] }],
        });
      expect(await bench.run('auth', 'reconcile', '-f', role('pods'))).toMatch(/role\S*\/reconciled reconciled/);
      await bench.run('auth', 'reconcile', '-f', role('secrets'));
      expect(await field(bench, 'role/reconciled', '.rules[*].resources[*]')).toBe('pods secrets');
    },
  },
  {
    command: 'create token SERVICEACCOUNT, --duration, --audience, --bound-object-kind',
    does: 'a token of that account, for that time, audience and object',
    check: async (bench) => {
      const { run, attempt, namespace } = bench;
      await run('create', 'serviceaccount', 'teller');
      const token = async (...args: string[]): Promise<Claims> => claimsOf(await run('create', 'token', ...args));
      const plain = await token('teller', '--duration=20m');
      expect(plain).toMatchObject({ sub: `system:serviceaccount:${namespace}:teller`, 'kubernetes.io': { namespace } });
      expect(plain.exp - plain.iat).toBe(1200);
      expect((await token('teller', '--audience=vault')).aud).toEqual(['vault']);
      const bound = await token('default', '--bound-object-kind=Pod', '--bound-object-name=solo');
      expect(bound['kubernetes.io']).toMatchObject({ pod: { name: 'solo', uid: await field(bench, 'pod/solo', '.metadata.uid') } });
      expect(await attempt('create', 'token', 'teller', '--duration=1m')).toMatch(/may not specify a duration less than 10 minutes/);
      expect(await attempt('create', 'token', 'nobody')).toMatch(/serviceaccounts "nobody" not found/);
    },
  },
  {
    command: 'auth whoami (with a token)',
    does: 'the service account, which may see nothing',
    check: async (bench) => {
      const token = (await bench.run('create', 'token', 'default')).trim();
      const config = await kubeconfigOf(bench, 'account', { token });
      const name = `system:serviceaccount:${bench.namespace}:default`;
      expect(await bench.run('--kubeconfig', config, 'auth', 'whoami')).toMatch(
        new RegExp(`Username +${name} *\\nUID +\\S+ *\\nGroups +\\[system:serviceaccounts system:serviceaccounts:${bench.namespace} `),
      );
      expect(await bench.attempt('--kubeconfig', config, 'get', 'pods')).toMatch(
        `Error from server (Forbidden): pods is forbidden: User "${name}" cannot list resource "pods" in API group "" in the namespace "${bench.namespace}"`,
      );
      const wrong = await kubeconfigOf(bench, 'wrong', { token: `${token}x` });
      expect(await bench.attempt('--kubeconfig', wrong, 'get', 'pods')).toMatch(/You must be logged in to the server|Unauthorized/);
    },
  },
  {
    command: 'certificate approve CSR, certificate deny CSR',
    does: 'a certificate that authenticates; none',
    check: async (bench) => {
      const { run, namespace } = bench;
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const [approved, denied] = [`approved-${namespace}`, `denied-${namespace}`];
      for (const name of [approved, denied]) {
        const request = Buffer.from(createSigningRequest(privateKey, 'jane', 'team')).toString('base64');
        await run(
          'create',
          '-f',
          file(bench, name, {
            apiVersion: 'certificates.k8s.io/v1',
            kind: 'CertificateSigningRequest',
            metadata: { name },
            spec: { request, signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'], expirationSeconds: 3600 },
          }),
        );
      }
      expect(await run('certificate', 'approve', approved)).toMatch(new RegExp(`certificatesigningrequest\\S*/${approved} approved`));
      expect(await run('certificate', 'deny', denied)).toMatch(new RegExp(`certificatesigningrequest\\S*/${denied} denied`));
      const certificate = await eventually(
        'the certificate',
        async () => (await field(bench, `csr/${approved}`, '.status.certificate')) || undefined,
      );
      expect(await run('get', 'csr', approved)).toMatch(/berth-admin +60m +Approved,Issued/);
      expect(await run('get', 'csr', denied)).toMatch(/berth-admin +60m +Denied/);
      const key = Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' })).toString('base64');
      const config = await kubeconfigOf(bench, 'jane', { 'client-certificate-data': certificate, 'client-key-data': key });
      expect(await run('--kubeconfig', config, 'auth', 'whoami')).toMatch(/Username +jane *\nGroups +\[team system:authenticated\]/);
      await run('delete', 'csr', approved, denied);
    },
  },
];

interface Claims {
  readonly sub: string;
  readonly aud: readonly string[];
  readonly exp: number;
  readonly iat: number;
  readonly 'kubernetes.io': object;
}

function claimsOf(token: string): Claims {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as Claims;
}

/** The bench's kubeconfig with another user in it; gives its path. */
async function kubeconfigOf({ kubectl, folder }: Bench, name: string, user: object): Promise<string> {
  const view = JSON.parse(await kubectl.succeed('config', 'view', '--raw', '-o', 'json')) as { users: { name: string; user: object }[] };
  const path = join(folder, `${name}.kubeconfig`);
  writeFileSync(path, JSON.stringify({ ...view, users: view.users.map((each) => ({ ...each, user })) }), { mode: 0o600 });
  return path;
}
