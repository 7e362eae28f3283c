import { expect } from 'chai';
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';
import { root } from '../scripts/root.js';

const HIDDEN = [
  ts.SyntaxKind.PrivateKeyword,
  ts.SyntaxKind.ProtectedKeyword,
  // It promises what it overrides.
  ts.SyntaxKind.OverrideKeyword,
];

const has = (node: ts.Node, kinds: readonly ts.SyntaxKind[]): boolean =>
  ts.canHaveModifiers(node) &&
  (ts.getModifiers(node) ?? []).some(({ kind }) => kinds.includes(kind));
const isDocumented = (node: ts.Node): boolean => ts.getJSDocCommentsAndTags(node).length > 0;

/** What a class offers: its methods and getters that are not hidden. */
const offered = (
  statement: ts.ClassDeclaration,
): (ts.MethodDeclaration | ts.AccessorDeclaration)[] =>
  statement.members.filter(
    (member): member is ts.MethodDeclaration | ts.GetAccessorDeclaration =>
      (ts.isMethodDeclaration(member) || ts.isGetAccessor(member)) && !has(member, HIDDEN),
  );

/** A type that is inferred from a schema of the same name is documented by the schema. */
const isInferred = (statement: ts.Statement): boolean =>
  ts.isTypeAliasDeclaration(statement) && /\btypeof\b/.test(statement.type.getText());

/** The exported names and public methods of a source that have no docstring. */
function undocumented(file: string, text: string): string[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const exported = source.statements.filter(
    (statement) => has(statement, [ts.SyntaxKind.ExportKeyword]) && !isInferred(statement),
  );
  const nodes = exported.flatMap((statement): ts.Node[] => [
    statement,
    ...(ts.isClassDeclaration(statement) ? offered(statement) : []),
  ]);
  return nodes
    .filter((node) => !isDocumented(node))
    .map((node) => {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart());
      return `${relative(root, file)}:${line + 1}`;
    });
}

describe('a public name', () => {
  const files = ['server', 'scripts'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => join(entry.parentPath, entry.name)),
  );

  it('says in a docstring what it promises', () => {
    expect(files.length).to.be.greaterThan(300);
    const missing = files.flatMap((file) => undocumented(file, readFileSync(file, 'utf8')));
    expect(missing).to.deep.equal([]);
  });

  it('is found wanting where a planted one says nothing', () => {
    const planted = `
      export const a = 1;
      export class B {
        c(): void {}
        private d(): void {}
        /** Does. */
        e(): void {}
      }
      /** Says. */
      export type F = string;
      export type G = typeof a;
      const h = 2;`;
    expect(undocumented(join(root, 'x.ts'), planted)).to.deep.equal(['x.ts:2', 'x.ts:3', 'x.ts:4']);
  });
});
