import { testSchedules } from './schedules.js';

testSchedules('schedules-name.test.ts', { name: 4_000 });
