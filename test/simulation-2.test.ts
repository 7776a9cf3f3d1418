import { testSeeds } from './simulation/seeds.js';

testSeeds(1, 2, 2_400);
