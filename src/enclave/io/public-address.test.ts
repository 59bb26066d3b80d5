import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isPublicAddress } from './public-address.ts';

describe('public addresses', () => {
  test('addresses of this machine, its link and its own network are none, in every spelling', () => {
    for (const address of [
      ...['0.0.0.0', '10.0.0.1', '100.64.0.1', '127.0.0.1', '127.255.255.255', '169.254.169.254', '172.31.255.255'],
      ...['192.168.1.1', '198.19.0.1', '224.0.0.251', '255.255.255.255'],
      ...['::', '::1', '0:0:0:0:0:0:0:1', 'fd00:ec2::254', 'FC00::1', 'fe80::1', 'fe80::1%eth0', 'ff02::1'],
      ...['::ffff:127.0.0.1', '::ffff:7f00:1', '0:0:0:0:0:ffff:a9fe:a9fe', '::127.0.0.1', '64:ff9b::10.0.0.1'],
      ...['localhost', '', '0x7f.1', '2130706433'],
    ]) {
      assert.equal(isPublicAddress(address), false, address);
    }
  });

  test('their neighbours are', () => {
    for (const address of [
      ...['1.1.1.1', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255', '128.0.0.0'],
      ...['169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0', '192.167.255.255', '192.169.0.0'],
      ...['198.17.255.255', '198.20.0.0', '203.0.113.80', '223.255.255.255'],
      ...['2001:db8::1', 'fbff::1', 'fe7f::1', '2600::', '::ffff:1.1.1.1', '64:ff9b::1.1.1.1', '64:ff9b:1::a00:1'],
    ]) {
      assert.equal(isPublicAddress(address), true, address);
    }
  });
});
