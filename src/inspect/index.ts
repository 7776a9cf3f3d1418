/**
 * Watch connections move through their statecharts.
 *
 * @module
 */
export { type Inspection, type InspectOptions, inspectWith, type StatelyInspector } from './stately.js';
