import { testSchedules } from './schedules.js';

testSchedules('schedules-client-listener-session.test.ts', { session: 20_000, listener: 14_000, client: 14_000 });
