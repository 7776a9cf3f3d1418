import { testSchedules } from './schedules.js';

testSchedules('schedules.test.ts', { backend: 36_000, proxy: 16_000 });
