// @ts-check
/** The module of a cluster's workers: `sockchart` is the one of the package that it lies beside. */
const { createProxy } = require('sockchart');

/** @type {import('sockchart/cluster').ClusterModule<{ port: number }>} */
module.exports = ({ data }) =>
  createProxy({ listen: { host: '127.0.0.1', port: 0 }, servers: [{ host: '127.0.0.1', port: data.port }] });
