/**
 * The demo image, made of Debian's static busybox: a shell, a small web server (`httpd`), a small HTTP client (`wget`; never with -T, which ends this
 * build of it with a segmentation fault), and the programs of manifests/hello.
 */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { buildImageArchive } from '#agent/runtime/images/image-archive';

export const demoImageReference = 'berth.local/hello:1';

const places = ['/bin/busybox', '/usr/bin/busybox', '/usr/local/bin/busybox'];

/** This machine's static busybox, or undefined. */
export function findStaticBusybox(): string | undefined {
  return places.find((path) => {
    try {
      accessSync(path, constants.X_OK);
    } catch {
      return false;
    }
    return isStatic(readFileSync(path));
  });
}

/** An executable without an interpreter (program header type 3) needs no libraries in its image. */
function isStatic(elf: Buffer): boolean {
  if (elf.length < 64 || elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2) return false;
  const offset = Number(elf.readBigUInt64LE(32));
  const size = elf.readUInt16LE(54);
  const count = elf.readUInt16LE(56);
  return !Array.from({ length: count }, (_, index) => elf.readUInt32LE(offset + index * size)).includes(3);
}

/** What the services of manifests/hello run. */
const programs: Readonly<Record<string, string>> = {
  fetch: `#!/bin/sh
# fetch URL: prints what is there; ends with 1 where there is nothing.
exec wget -q -O - "$1"
`,
  prepare: `#!/bin/sh
# prepare FOLDER: writes the greeting that the back end serves.
set -e
echo "Hello from Berth" > "$1/greeting"
echo "prepared $1"
`,
  api: `#!/bin/sh
# The back end: /greeting on port 9000, of what was prepared and of the motto in its configuration.
set -e
mkdir -p /srv/api
cat /data/greeting /etc/hello/motto > /srv/api/greeting
echo "serving /greeting on port 9000"
exec httpd -f -v -p 9000 -h /srv/api
`,
  web: `#!/bin/sh
# The front: a page on port 80 that says who serves it and what the back end ($BACKEND) answers.
set -e
mkdir -p /srv/web/cgi-bin
echo ok > /srv/web/healthz
cat > /srv/web/cgi-bin/index.cgi <<'PAGE'
#!/bin/sh
greeting=$(fetch "$BACKEND") || greeting="The back end does not answer."
printf 'Content-Type: text/html\\r\\n\\r\\n'
printf '<!doctype html><title>Hello</title><h1>%s</h1><p>Served by %s.</p>\\n' "$greeting" "$(hostname)"
PAGE
chmod +x /srv/web/cgi-bin/index.cgi
echo "serving on port 80"
exec httpd -f -v -p 80 -h /srv/web
`,
};

/** An OCI archive. Throws where there is no static busybox. */
export async function buildDemoImage(reference: string = demoImageReference): Promise<Uint8Array> {
  const busybox = findStaticBusybox();
  if (busybox === undefined) throw new Error('no static busybox on this machine. On Debian: apt-get install busybox-static');
  const commands = execFileSync(busybox, ['--list'], { encoding: 'utf8' })
    .split('\n')
    .filter((name) => name !== '' && name !== 'busybox');
  return buildImageArchive({
    reference,
    entries: [
      { path: '/bin/busybox', content: readFileSync(busybox), mode: 0o755 },
      ...Object.entries(programs).map(([name, content]) => ({ path: `/bin/${name}`, content, mode: 0o755 })),
      ...commands.map((name) => ({ path: `/bin/${name}`, linkTo: 'busybox' })),
      { path: '/etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1000:guest:/:/bin/sh\n' },
      { path: '/etc/group', content: 'root:x:0:\nguest:x:1000:\n' },
      { path: '/etc/nsswitch.conf', content: 'hosts: files dns\n' },
      { path: '/root', directory: true, mode: 0o700 },
      { path: '/tmp', directory: true, mode: 0o1777 },
      { path: '/www/index.html', content: '<!doctype html><title>Berth</title><h1>Hello from Berth</h1>\n' },
    ],
    command: ['httpd', '-f', '-v', '-p', '80', '-h', '/www'],
    environment: { PATH: '/bin' },
    exposedPorts: ['80/tcp'],
  });
}
