import { ecosystemContract, npmSample } from '#ecosystems/testing';
import { npm } from './index.ts';

ecosystemContract(npm, npmSample);
