import { testSchedules } from './schedules.js';

testSchedules('schedules-name.test.ts', { name: 7_000 });
