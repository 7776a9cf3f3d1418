import { testSchedules } from './schedules.js';

testSchedules('schedules-2.test.ts', { session: 10_000, listener: 10_000, client: 10_000 });
