import { testSchedules } from './schedules.js';

testSchedules('schedules-client-listener-session.test.ts', { session: 7_000, listener: 4_000, client: 4_000 });
