import { testSchedules } from './schedules.js';

testSchedules('schedules-check.test.ts', { check: 4_000 });
