import { expect } from 'chai';
import Handlebars from 'handlebars';
import { PartialPlacer } from '../../server/platform/partials.js';
import { joinLines } from '../../server/platform/views.js';

describe('line breaks in a template', () => {
  const joins = (source: string, joined: string): void => {
    expect(joinLines(source)).to.equal(joined);
  };

  it('are nothing beside tags, blocks and partials', () => {
    joins(
      '<ul>\n  {{#each a}}\n    <li>\n      {{b}}\n    </li>\n  {{/each}}\n</ul>\n',
      ['<ul>{{#each a}}<li>{{b}}</li>{{/each}}</ul>'].join(''),
    );
    joins(
      '{{> a}}\n{{b}}\n{{#if c}}\n  d\n{{else}}\n  e\n{{/if}}',
      ['{{> a}}{{b}}{{#if c}}d{{else}}e{{/if}}'].join(''),
    );
  });

  it('are a space between words and between attributes', () => {
    joins('<p>\n  {{a}}\n  and {{b}}\n</p>', '<p>{{a}} and {{b}}</p>');
    joins(
      '<input\n  id="a"\n  {{#if b}}autofocus{{/if}}\n  >',
      '<input id="a"{{#if b}} autofocus{{/if}}>',
    );
    joins('<b class="a {{#if b}}c{{else}}d{{/if}}">', '<b class="a {{#if b}}c{{else}}d{{/if}}">');
    joins('<path d="M1 2\n    3 4" />', '<path d="M1 2 3 4"/>');
  });

  it('leave spaces inside of a line, and those that are written out', () => {
    joins('<b>a</b> {{b}}, {{#if c}} {{c}}{{/if}}', '<b>a</b> {{b}}, {{#if c}} {{c}}{{/if}}');
    joins('<b>a</b>\n&#32;<i>b</i>', '<b>a</b> <i>b</i>');
  });

  it('take comments along', () => {
    joins('{{!-- what: it is for --}}\n<p>{{a}}</p>', '<p>{{a}}</p>');
  });
});

describe('partials that are put in place', () => {
  const PARTIALS: Record<string, string> = {
    icon: '<i>{{name}}</i>',
    link: '<a href="{{href}}" {{#if (eq section open)}}on{{/if}}>{{#if icon}}{{> icon name=icon}}{{/if}}{{label}}</a>',
    face: '<b data-ink="{{athlete.ink}}">{{athlete.initials}}{{> icon name="x"}}</b>',
    rows: '{{#each rows}}{{> face athlete=this}}{{/each}}',
    owned: '{{#each rows}}{{ink}} of {{../owner}};{{/each}}',
    frame: '<div>{{label}}{{> @partial-block}}</div>',
  };
  const engine = Handlebars.create();
  engine.registerHelper('eq', (a: unknown, b: unknown) => a === b);
  engine.registerHelper('date', () => 'a helper');
  for (const [name, source] of Object.entries(PARTIALS)) engine.registerPartial(name, source);
  const placer = new PartialPlacer(
    new Map(Object.entries(PARTIALS).map(([name, source]) => [name, engine.parse(source)])),
    engine.escapeExpression,
  );
  const place = (source: string): hbs.AST.Program => placer.place(engine.parse(source));
  const calls = (source: string): number =>
    JSON.stringify(place(source)).split('"type":"PartialStatement"').length - 1;
  const MODEL = {
    open: 'home',
    date: 'a < field',
    owner: 'Ann & Bo',
    athlete: { ink: 'judo', initials: 'AB' },
    rows: [{ ink: 'a', initials: 'X', owner: 'nobody' }, { ink: 'b' }],
  };

  for (const [what, source, left] of [
    ['without parameters', '{{> rows}}', 0],
    ['with texts', '{{> link section="home" href="/?a=1&b=2" label="<Home>" icon="home"}}', 0],
    [
      'with paths',
      '{{> face athlete=athlete}}{{#each rows}}{{> face athlete=../athlete}}{{/each}}',
      0,
    ],
    ['with a path that is called as a helper is', '{{> icon name=date}}', 0],
    ['with helpers', '{{> icon name=(eq open "home")}}', 0],
    ['that read what they were passed from inside a list', '{{> owned owner="me"}}', 1],
    ['around a block', '{{#> frame label="a"}}{{owner}}{{> icon name="i"}}{{/frame}}', 0],
  ] as const)
    it(`say the same as called ones: ${what}`, () => {
      expect(calls(source)).to.equal(left);
      expect(engine.compile(place(source))(MODEL)).to.equal(engine.compile(source)(MODEL));
    });
});
