import { testSchedules } from './schedules.js';

testSchedules('schedules-client-listener-session.test.ts', { session: 10_000, listener: 7_000, client: 7_000 });
