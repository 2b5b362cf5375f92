/** Cuts a guard out of a source text: the code below its marker, a comment line `// guard: name`. */
import ts from 'typescript';

interface Marker {
  readonly name: string;
  /** Where the comment ends. */
  readonly end: number;
}

/** The markers of a source text, in their order. */
export const findMarkers = (source: string): readonly Marker[] =>
  [...source.matchAll(/^[ \t]*\/\/ guard: (\S+)[ \t]*$/gm)].map(({ 0: line, 1: name = '', index }) => ({
    name,
    end: index + line.length,
  }));

const LOGICAL = new Set([
  ts.SyntaxKind.AmpersandAmpersandToken,
  ts.SyntaxKind.BarBarToken,
  ts.SyntaxKind.QuestionQuestionToken,
]);

const isLogical = (node: ts.Node): node is ts.BinaryExpression =>
  ts.isBinaryExpression(node) && LOGICAL.has(node.operatorToken.kind);

/** The list of which the node is one item and could be missing. */
const readList = ({ parent }: ts.Node): readonly ts.Node[] => {
  if (ts.isSourceFile(parent) || ts.isBlock(parent) || ts.isCaseOrDefaultClause(parent))
    return parent.statements;
  if (ts.isObjectLiteralExpression(parent)) return parent.properties;
  if (ts.isArrayLiteralExpression(parent)) return parent.elements;
  if (ts.isCallExpression(parent) || ts.isNewExpression(parent)) return parent.arguments ?? [];
  if (ts.isClassLike(parent)) return parent.members;
  return [];
};

/** Of `a && b && c` each of the three is an operand, and `a && b` is none. */
const isOperand = (node: ts.Node): boolean =>
  isLogical(node.parent) && !(isLogical(node) && node.operatorToken.kind === node.parent.operatorToken.kind);

/** The outermost node that begins at this place and can be taken out. */
const findNode = (file: ts.SourceFile, start: number): ts.Node | undefined => {
  const visit = (node: ts.Node): ts.Node | undefined => {
    if (node.getStart(file) > start || node.end <= start) return undefined;
    const begins = node.parent !== undefined && node.getStart(file) === start;
    return begins && (readList(node).includes(node) || isOperand(node)) ? node : ts.forEachChild(node, visit);
  };
  return visit(file);
};

/** What goes with a node that is taken out: its comma, or the operator that joins it to the others. */
const findSpan = (file: ts.SourceFile, node: ts.Node): readonly [start: number, end: number] => {
  const start = node.getStart(file);
  if (!readList(node).includes(node) && isLogical(node.parent)) {
    const { left, right } = node.parent;
    return node === left ? [start, right.getStart(file)] : [left.end, node.end];
  }
  const comma = /^\s*,/.exec(file.text.slice(node.end));
  return [start, node.end + (comma?.[0].length ?? 0)];
};

/**
 * The source without the one statement, property, element, argument, class member or operand of `&&`, `||` or `??`
 * that begins below the marker; with `replace`, what that makes of it stands in its place.
 * Throws when the marker is missing or not the only one of its name, or when nothing below it can be taken out.
 */
export const cutGuard = (source: string, name: string, replace?: (code: string) => string): string => {
  const [marker, ...others] = findMarkers(source).filter((found) => found.name === name);
  if (!marker) throw new Error(`there is no marker of guard ${name}`);
  if (others.length > 0) throw new Error(`guard ${name} is marked more than once`);
  const file = ts.createSourceFile('guarded.ts', source, ts.ScriptTarget.Latest, true);
  const below = ts.createScanner(ts.ScriptTarget.Latest, true, ts.LanguageVariant.Standard, source);
  below.resetTokenState(marker.end);
  below.scan();
  const node = findNode(file, below.getTokenStart());
  if (!node) throw new Error(`nothing below the marker of guard ${name} can be taken out`);
  const [start, end] = replace ? [node.getStart(file), node.end] : findSpan(file, node);
  return source.slice(0, start) + (replace?.(source.slice(start, end)) ?? '') + source.slice(end);
};

/** What is wrong with the syntax of a source text. */
export const findSyntaxErrors = (source: string): readonly string[] => {
  const { diagnostics = [] } = ts.transpileModule(source, { reportDiagnostics: true });
  return diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
};
