import { networkContract } from '#system/testing';
import { openNetwork } from './network.ts';

networkContract(openNetwork);
