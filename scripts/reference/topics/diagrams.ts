/**
 * The entry point `sockchart/diagrams`: pictures and tables of machines. docs/diagrams.md says how to keep them in a
 * repository.
 *
 * @module
 */
export {
  checkDiagrams,
  type DiagramKind,
  type DiagramOptions,
  gapsOf,
  mermaidOf,
  type StaleDiagram,
  svgOf,
  tableOf,
  writeDiagrams,
} from 'sockchart/diagrams';
