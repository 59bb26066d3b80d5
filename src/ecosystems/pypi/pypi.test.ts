import { ecosystemContract, pypiSample } from '#ecosystems/testing';
import { pypi } from './index.ts';

ecosystemContract(pypi, pypiSample);
