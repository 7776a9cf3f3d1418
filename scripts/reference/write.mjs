// @ts-check
/**
 * Writes the pages of docs/reference/ with TypeDoc, from the published declarations: `write.mjs FOLDER TOPIC…`, each topic
 * a file of topics/. It fails where an export or a member has no comment, or a comment refers to nothing.
 */
/** @typedef {import('typedoc').ProjectReflection} ProjectReflection */
import { fileURLToPath } from 'node:url';
import { Application, Comment, Converter, DeclarationReflection, ReflectionKind, UnionType } from 'typedoc';

/** @param {string} path */
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Of typedoc-plugin-markdown, which declares its options elsewhere. @type {Record<string, unknown>} */
const MARKDOWN = {
  router: 'module',
  entryFileName: 'README',
  hideBreadcrumbs: true,
  hidePageHeader: true,
  hideGroupHeadings: true,
  interfacePropertiesFormat: 'table',
  classPropertiesFormat: 'table',
  typeAliasPropertiesFormat: 'table',
  typeDeclarationFormat: 'table',
  parametersFormat: 'table',
  tableColumnSettings: { hideModifiers: true, hideInherited: true, hideOverrides: true },
};

const [out = '', ...topics] = process.argv.slice(2);

const AFTER_GROUPS = -10_000;

const app = await Application.bootstrapWithPlugins({
  ...MARKDOWN,
  plugin: ['typedoc-plugin-markdown'],
  entryPoints: topics.map((topic) => here(`topics/${topic}.ts`)),
  tsconfig: here('topics/tsconfig.json'),
  name: 'API reference',
  readme: 'none',
  outputs: [{ name: 'markdown', path: out }],
  sort: ['source-order'],
  sortEntryPoints: false,
  groupOrder: ['Functions', 'Interfaces', 'Type Aliases', 'Constructors', 'Properties', 'Accessors', 'Methods', '*'],
  disableSources: true,
  hideGenerator: true,
  excludeExternals: true,
  excludeInternal: true,
  excludeProtected: true,
  excludeReferences: true,
  externalSymbolLinkMappings: { '@types/node': { '"tls".connect': 'https://nodejs.org/api/tls.html' } },
  skipErrorChecking: true,
  logLevel: 'Warn',
});
app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
  for (const reflection of Object.values(project.reflections)) {
    if (reflection.comment !== undefined) linkThrows(reflection.comment);
    if (reflection instanceof DeclarationReflection) tellValues(reflection);
  }
});
app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => removeShared(project));
app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => putOwnFirst(project), AFTER_GROUPS);
app.converter.addUnknownSymbolResolver(({ symbolReference }, from, _part, symbol) => {
  const path = symbol?.qualifiedName.split('.') ?? symbolReference?.path?.map((part) => part.path) ?? [];
  for (const module of from.project.children ?? []) {
    const target = module.getChildByName(path);
    // A page may be linked to like an address, which is all that the type says.
    if (target !== undefined) return { target: /** @type {any} */ (target) };
  }
});
const project = await app.convert();
if (project === undefined) throw new Error('TypeDoc cannot read dist/: run the build first.');
app.validate(project);
for (const name of undocumented(project)) app.logger.warn(`${name} has no comment`);
await app.generateOutputs(project);
if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exitCode = 1;

/** `@throws OptionError for …` links to the error. @param {Comment} comment */
function linkThrows({ blockTags }) {
  for (const { tag, content } of blockTags) {
    const first = content[0];
    const error = tag === '@throws' && first?.kind === 'text' ? /^\w+Error\b/.exec(first.text)?.[0] : undefined;
    if (first === undefined || error === undefined) continue;
    first.text = first.text.slice(error.length);
    content.unshift({ kind: 'inline-tag', tag: '@link', text: error });
  }
}

/** The comments on the values of a union become a list. @param {DeclarationReflection} reflection */
function tellValues({ type, comment, kind }) {
  if (kind !== ReflectionKind.TypeAlias || !(type instanceof UnionType) || type.elementSummaries === undefined) return;
  for (const [index, summary] of type.elementSummaries.entries()) {
    const value = type.types[index]?.toString().replaceAll('"', "'");
    comment?.summary.push({ kind: 'text', text: `${index === 0 ? '\n' : ''}\n- \`${value}\`: ` }, ...summary);
  }
}

/** What all handles have is shown on the page of handles alone; the same for errors. @param {ProjectReflection} project */
function removeShared(project) {
  for (const reflection of declarationsOf(project)) {
    const { parent, inheritedFrom } = reflection;
    if (parent?.kindOf(ReflectionKind.Class) && /^(Handle|SockchartError|Error)\b/.test(inheritedFrom?.name ?? ''))
      project.removeReflection(reflection);
  }
}

/** The options that a function alone has come before those that it shares. @param {ProjectReflection} project */
function putOwnFirst(project) {
  for (const { groups = [] } of declarationsOf(project)) {
    for (const { children } of groups) children.sort((a, b) => Number(isInherited(a)) - Number(isInherited(b)));
  }
}

/** Of the exports and their members, those without a comment; those of a machine say it in its diagram. @param {ProjectReflection} project */
function undocumented({ children: pages = [] }) {
  return pages
    .filter(({ name }) => name !== 'machines')
    .flatMap(({ children = [] }) => children.flatMap((reflection) => [reflection, ...(reflection.children ?? [])]))
    .filter(
      (reflection) =>
        !reflection.kindOf(ReflectionKind.Constructor) &&
        ![reflection, ...reflection.getAllSignatures()].some((documented) => documented.hasComment()),
    )
    .map((reflection) => reflection.getFriendlyFullName());
}

/** @param {ProjectReflection} project */
function declarationsOf({ reflections }) {
  return Object.values(reflections).filter((reflection) => reflection instanceof DeclarationReflection);
}

/** @param {unknown} member */
function isInherited(member) {
  return member instanceof DeclarationReflection && member.inheritedFrom !== undefined;
}
