/**
 * Formats the templates: `tsx scripts/templates.ts` says which are not formatted or have a line
 * over a hundred columns, `--write` formats them.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import beautify from 'js-beautify';
import { root } from './root.js';

/** The widest that a line of a template may be. */
export const COLUMNS = 100;
const VIEWS = join(root, 'views');

/** Elements that stand in the line of the text around them; all others begin a line. */
const INLINE = ['a', 'abbr', 'b', 'br', 'em', 'small', 'span', 'strong', 'time', 'use'];

const OPTIONS = {
  indent_size: 2,
  indent_handlebars: true,
  indent_inner_html: true,
  end_with_newline: true,
  max_preserve_newlines: 1,
  // Where a tag has many attributes, its author breaks its lines, and those breaks stay.
  wrap_attributes: 'preserve' as const,
  // A line that is too long is split by hand: a wrapped text could lose a space beside a tag.
  wrap_line_length: 0,
  inline: INLINE,
  content_unformatted: ['pre', 'script', 'textarea'],
  extra_liners: [],
};

/** The parameters of a call, parted at the spaces outside of parentheses and quotes. */
function parametersOf(call: string): string[] {
  const parts: string[] = [];
  let part = '';
  let depth = 0;
  let quoted = false;
  for (const char of call) {
    if (char === '"') quoted = !quoted;
    if (!quoted && char === '(') depth += 1;
    if (!quoted && char === ')') depth -= 1;
    if (!quoted && depth === 0 && /\s/.test(char)) {
      if (part) parts.push(part);
      part = '';
    } else part += /\s/.test(char) && !quoted ? ' ' : char;
  }
  return part ? [...parts, part] : parts;
}

/** A call of a partial on one line when it fits, else with a parameter a line. */
function setCall(before: string, opening: string, parts: string[], after: string): string {
  const line = `${before}${opening} ${parts.join(' ')}}}${after}`;
  if (line.length <= COLUMNS || before.trim() || after) return line;
  const [name = '', ...parameters] = parts;
  return [
    `${before}${opening} ${name}`,
    ...parameters.map((parameter) => `${before}  ${parameter}`),
    `${before}}}`,
  ].join('\n');
}

/** Formats once: js-beautify, which knows no partials with parameters, so we set those. */
function formatOnce(source: string): string {
  const calls: { opening: string; parts: string[] }[] = [];
  const masked = source.replace(
    /\{\{(#?>)\s*([^}]+?)\s*\}\}/g,
    (_all, opening: string, call: string) => {
      calls.push({ opening: `{{${opening}`, parts: parametersOf(call) });
      const mark = `call-${calls.length - 1}`;
      return opening === '>' ? `{{> ${mark}}}` : `{{#${parametersOf(call)[0] ?? ''} ${mark}}}`;
    },
  );
  let formatted = beautify.html(masked, OPTIONS);
  const mark = /^(.*?)\{\{(?:>|#[\w/-]+) call-(\d+)\}\}(.*)$/m;
  for (let found = mark.exec(formatted); found; found = mark.exec(formatted)) {
    const { opening, parts } = calls[Number(found[2])] ?? { opening: '', parts: [] };
    const call = setCall(found[1] ?? '', opening, parts, found[3] ?? '');
    formatted =
      formatted.slice(0, found.index) + call + formatted.slice(found.index + found[0].length);
  }
  return formatted;
}

/** A template with one element a line, indented; formatting it again changes nothing. */
export function formatTemplate(source: string): string {
  return formatOnce(formatOnce(source));
}

/** All templates, as paths from the folder of the project. */
export function templates(): string[] {
  return readdirSync(VIEWS, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.hbs'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

/** What is wrong with the layout of a template, a line each: not formatted, or too wide. */
export function faultsOf(file: string, source: string): string[] {
  return [
    ...(formatTemplate(source) === source ? [] : [`${file} is not formatted`]),
    ...source
      .split('\n')
      .flatMap((line, index) =>
        line.length > COLUMNS ? [`${file}:${index + 1} has ${line.length} columns`] : [],
      ),
  ];
}

function main(): void {
  const write = process.argv.includes('--write');
  const faults: string[] = [];
  for (const file of templates()) {
    const path = join(root, file);
    let source = readFileSync(path, 'utf8');
    if (write && formatTemplate(source) !== source) {
      source = formatTemplate(source);
      writeFileSync(path, source);
    }
    faults.push(...faultsOf(file, source));
  }
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  if (faults.length > 0) process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main();
