/**
 * The entry point `sockchart/testing`.
 *
 * @module
 */
export * from 'sockchart/testing';
