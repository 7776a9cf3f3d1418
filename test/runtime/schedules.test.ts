import { testSchedules } from './schedules.js';

testSchedules('schedules.test.ts', { backend: 20_000, proxy: 10_000 });
