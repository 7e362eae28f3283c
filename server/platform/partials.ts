/**
 * Puts partials in the place of their calls when templates are compiled, so that a page may be
 * written in as many parts as read well: a call at run time copies its whole context, and a page
 * has dozens of them.
 */
type Program = hbs.AST.Program;
type Statement = hbs.AST.Statement;
type Expression = hbs.AST.Expression;
type Path = hbs.AST.PathExpression;
/** What a call passes: an expression of the caller's for each parameter. */
type Passed = Map<string, Expression>;

/** Thrown inside only: this call stays a call. */
class Unplaceable extends Error {}

/** Blocks whose inside sees the same context as their outside. */
const TRANSPARENT = new Set(['if', 'unless']);
const isPath = (node: hbs.AST.Node): node is Path => node.type === 'PathExpression';
const isText = (node: hbs.AST.Node): node is hbs.AST.StringLiteral | hbs.AST.NumberLiteral =>
  node.type === 'StringLiteral' || node.type === 'NumberLiteral';

/** The path as it reads where the partial is called; `this.` keeps it from naming a helper. */
function placedPath(path: Path, passed: Passed): Expression {
  if (path.data || path.depth > 0) return path;
  const [head, ...rest] = path.parts;
  // All of the context with all that was passed: only a call makes that.
  if (head === undefined) throw new Unplaceable();
  const value = passed.get(head);
  if (!value) return path;
  if (rest.length === 0 && !isPath(value)) return value;
  if (!isPath(value)) throw new Unplaceable();
  const parts = [...value.parts, ...rest];
  const original = value.data || value.depth > 0 ? value.original : `this.${parts.join('.')}`;
  return { ...value, parts, original } as Path;
}

function placedExpression(node: Expression, passed: Passed): Expression {
  if (isPath(node)) return placedPath(node, passed);
  if (node.type !== 'SubExpression') return node;
  const call = node as hbs.AST.SubExpression;
  return { ...call, ...placedArguments(call, passed) };
}

function placedArguments<T extends { params: Expression[]; hash: hbs.AST.Hash | undefined }>(
  call: T,
  passed: Passed,
): Pick<T, 'params' | 'hash'> {
  return {
    params: call.params.map((node) => placedExpression(node, passed)),
    hash: call.hash && {
      ...call.hash,
      pairs: call.hash.pairs.map((pair) => ({
        ...pair,
        value: placedExpression(pair.value, passed),
      })),
    },
  };
}

/** Whether a part reads what its surroundings were passed: by `../`, or by a call of its own. */
function readsOutwards(node: unknown, passed: Passed): boolean {
  if (typeof node !== 'object' || node === null) return false;
  const { type, depth, parts } = node as Partial<Path>;
  if (type === 'PathExpression' && (depth ?? 0) > 0)
    return parts?.[0] === undefined || passed.has(parts[0]);
  return Object.entries(node).some(([key, child]) => key !== 'loc' && readsOutwards(child, passed));
}

/** Puts partials in place, in a partial or a page, and what was passed in the place of names. */
export class PartialPlacer {
  private readonly placed = new Map<string, Program>();

  constructor(
    private readonly partials: ReadonlyMap<string, Program>,
    private readonly escape: (text: string) => string,
  ) {}

  /** The program with each call of a partial replaced by what that partial says. */
  place(program: Program): Program {
    return { ...program, body: program.body.flatMap((node) => this.expand(node)) };
  }

  private expand(node: Statement): Statement[] {
    if (node.type === 'PartialStatement') {
      const call = node as hbs.AST.PartialStatement;
      const partial = isPath(call.name) ? this.partial(call.name.original) : null;
      if (!partial || call.params.length > 0) return [node];
      const pairs = call.hash?.pairs ?? [];
      if (pairs.length === 0) return partial.body;
      try {
        return this.pass(partial, new Map(pairs.map(({ key, value }) => [key, value]))).body;
      } catch (error) {
        if (error instanceof Unplaceable) return [node];
        throw error;
      }
    }
    if (node.type !== 'BlockStatement' && node.type !== 'PartialBlockStatement') return [node];
    const block = node as hbs.AST.BlockStatement;
    return [
      {
        ...block,
        program: this.place(block.program),
        ...(block.inverse && { inverse: this.place(block.inverse) }),
      } as Statement,
    ];
  }

  private partial(name: string): Program | null {
    const done = this.placed.get(name);
    if (done) return done;
    const program = this.partials.get(name);
    if (!program) return null;
    const placed = this.place(program);
    this.placed.set(name, placed);
    return placed;
  }

  private pass(program: Program, passed: Passed): Program {
    return { ...program, body: program.body.map((node) => this.passTo(node, passed)) };
  }

  private passTo(node: Statement, passed: Passed): Statement {
    if (node.type === 'ContentStatement' || node.type === 'CommentStatement') return node;
    if (node.type === 'MustacheStatement')
      return this.passToOutput(node as hbs.AST.MustacheStatement, passed);
    if (node.type !== 'BlockStatement') throw new Unplaceable();
    const block = node as hbs.AST.BlockStatement;
    const inside = TRANSPARENT.has(block.path.original);
    if (!inside && readsOutwards(block.program, passed)) throw new Unplaceable();
    return {
      ...block,
      ...placedArguments(block, passed),
      program: inside ? this.pass(block.program, passed) : block.program,
      ...(block.inverse && { inverse: this.pass(block.inverse, passed) }),
    } as Statement;
  }

  private passToOutput(output: hbs.AST.MustacheStatement, passed: Passed): Statement {
    const isCall = output.params.length > 0 || Boolean(output.hash);
    if (isCall || !isPath(output.path)) return { ...output, ...placedArguments(output, passed) };
    const value = placedPath(output.path, passed);
    if (isText(value)) {
      const text = this.escape(String(value.value));
      return {
        type: 'ContentStatement',
        loc: output.loc,
        value: text,
        original: text,
      } as Statement;
    }
    if (isPath(value)) return { ...output, path: value } as Statement;
    if (value.type !== 'SubExpression') throw new Unplaceable();
    const { path, params, hash } = value as hbs.AST.SubExpression;
    return { ...output, path, params, hash } as Statement;
  }
}
