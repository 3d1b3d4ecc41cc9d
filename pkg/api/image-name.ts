/** An image's name in full, as runtimes report it: `busybox` → `docker.io/library/busybox:latest`. */
export function fullImageName(image: string): string {
  const slash = image.indexOf('/');
  const first = slash < 0 ? '' : image.slice(0, slash);
  const hosted = first.includes('.') || first.includes(':') || first === 'localhost';
  const path = hosted ? image : `docker.io/${slash < 0 ? 'library/' : ''}${image}`;
  const last = path.slice(path.lastIndexOf('/') + 1);
  return last.includes(':') || last.includes('@') ? path : `${path}:latest`;
}
