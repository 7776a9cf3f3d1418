import { testSeeds } from './seeds.js';

testSeeds(1, 2, 2_000);
