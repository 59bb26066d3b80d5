/** A name that a registry can have: `name` or `@scope/name`, safe in a path, at most 214 bytes. */
export function isPackageName(name: string): boolean {
  return (
    name.length <= 214 &&
    /^(?:@[A-Za-z0-9._~!'()*-]+\/)?[A-Za-z0-9._~!'()*-]+$/.test(name) &&
    !name.split('/').some((part) => part === '.' || part === '..' || part === '@.' || part === '@..')
  );
}

/** The part after the scope. */
export function bareName(name: string): string {
  return name.slice(name.indexOf('/') + 1);
}

export function scopeOf(name: string): string | undefined {
  return name.startsWith('@') ? name.slice(0, name.indexOf('/')) : undefined;
}
