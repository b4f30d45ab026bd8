// A plugin of MCP Hub: questions about CSV and JSON that come as text.

import { check } from './arguments.js';
import { parseCsv } from './csv.js';
import { AGGREGATE_NAMES, FUNCTION_NAMES } from './expression.js';
import { compilePath } from './jsonpath.js';
import { markdown, query } from './table.js';

const EXPRESSIONS =
  "Expressions are written as in SQL: + - * / % || = <> < <= > >= and or not in (…) like between, " +
  'is null, case when … then … else … end, \'text\', "a name with spaces". ' +
  `Functions: ${FUNCTION_NAMES}. Over groups: ${AGGREGATE_NAMES}, count(*), count(distinct x). ` +
  '`like` ignores case; % stands for any text, _ for one character.';

const expressions = (description) => ({
  type: 'array', items: { type: 'string' }, minItems: 1, maxItems: 100, description,
});

const CLAUSES = {
  where: { type: 'string', description: "Which rows: an expression such as price > 10 and city = 'Ulm'." },
  select: expressions('What to give: expressions, each perhaps with a name, such as city or sum(price) as total. Default: all columns, or the groups with their counts.'),
  group_by: expressions('What makes groups: expressions such as city or substr(date, 1, 4).'),
  having: { type: 'string', description: 'Which groups: an expression such as count(*) > 1.' },
  order_by: expressions('What to sort by: expressions or names given by select, each perhaps with desc.'),
  distinct: { type: 'boolean', description: 'Leave out rows that were given already.', default: false },
  limit: { type: 'integer', minimum: 1, maximum: 10000, description: 'How many rows to give.', default: 100 },
  offset: { type: 'integer', minimum: 0, maximum: 1e9, description: 'How many rows to leave out first.', default: 0 },
};

const TOOLS = {
  query_csv: {
    title: 'Query CSV',
    description: `Filters, groups, computes and sorts the rows of a CSV text. ${EXPRESSIONS} Empty cells are null.`,
    input: {
      type: 'object',
      properties: {
        csv: { type: 'string', description: 'The CSV text.' },
        ...CLAUSES,
        header: { type: 'boolean', description: 'Whether the first line has the names of the columns. Else they are column1, column2, …', default: true },
        delimiter: { type: 'string', enum: [',', ';', '\t', '|'], description: 'What lies between cells. Default: what the first line has most of.' },
        types: { type: 'string', enum: ['auto', 'text'], description: 'auto: what is written like a number is one. text: everything is text.', default: 'auto' },
      },
      required: ['csv'],
      additionalProperties: false,
    },
    output: {
      type: 'object',
      properties: {
        columns: { type: 'array', items: { type: 'string' } },
        rows: { type: 'array', items: { type: 'array' }, description: 'One value for each column' },
        total: { type: 'integer', description: 'How many rows there are, with those that limit leaves out' },
      },
      required: ['columns', 'rows', 'total'],
      additionalProperties: false,
    },
    run: queryCsv,
  },
  query_json: {
    title: 'Query JSON',
    description:
      'Finds values in a JSON text by a JSONPath (RFC 9535), and filters, groups, computes and sorts them if asked to. ' +
      "Paths: $.a.b, ['a b'], [0], [-1], [1:3], [*], ..name, [?@.price < 10 && @.name == 'x'], [?length(@.list) > 2]. " +
      'With where, select, group_by, having or order_by each found value is a row; where the path finds one array, its items are. ' +
      `Members are named as a or a.b; what has no members is called value. ${EXPRESSIONS}`,
    input: {
      type: 'object',
      properties: {
        json: { type: 'string', description: 'The JSON text.' },
        path: { type: 'string', description: 'Where to look.', default: '$' },
        ...CLAUSES,
      },
      required: ['json'],
      additionalProperties: false,
    },
    output: {
      type: 'object',
      properties: {
        values: { type: 'array', description: 'What was found. With clauses: an object for each row' },
        total: { type: 'integer', description: 'How many there are, with those that limit leaves out' },
      },
      required: ['values', 'total'],
      additionalProperties: false,
    },
    run: queryJson,
  },
};

function queryCsv(args) {
  const result = query(parseCsv(args.csv, args), args);
  return { text: `${markdown(result)}\n\n${counted(result.rows.length, result.total, 'row')}`, structured: result };
}

function queryJson(args) {
  const found = compilePath(args.path)(parseJson(args.json, 'json'));
  const isQuery = ['where', 'select', 'group_by', 'having', 'order_by'].some((clause) => args[clause] !== undefined) || args.distinct;
  if (!isQuery) {
    const values = found.slice(args.offset, args.offset + args.limit);
    return told(values, found.length, 'value');
  }
  const rows = found.length === 1 && Array.isArray(found[0]) ? found[0] : found;
  const isWhole = args.select === undefined && args.group_by === undefined;
  // Rows that are given as they are need no columns.
  const table = { isObjects: true, columns: [], rows: isWhole ? rows.map((row) => wrapped(row)) : rows };
  const result = query(isWhole ? { ...table, columns: [WHOLE] } : table, args);
  const values = isWhole
    ? result.rows.map(([value]) => value)
    : result.rows.map((row) => Object.fromEntries(result.columns.map((name, index) => [name, row[index]])));
  return told(values, result.total, isWhole ? 'value' : 'row');
}

/**
 * How deep JSON may lie within JSON. What is much deeper breaks the interpreter down, and hubs keep
 * results from being deeper than 128.
 */
const MAX_NESTING = 100;

function parseJson(text, name) {
  let depth = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/gs)) {
    if (token === '[' || token === '{') depth += 1;
    else if (token === ']' || token === '}') depth -= 1;
    if (depth > MAX_NESTING) throw new Error(`${name}: more than ${MAX_NESTING} levels lie within each other`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${name}: it is no JSON: ${error.message}`);
  }
}

/** The name under which a row contains itself. */
const WHOLE = '\u0000';
const wrapped = (row) => ({ ...(row !== null && typeof row === 'object' ? row : { value: row }), [WHOLE]: row });

function told(values, total, unit) {
  return { text: `${JSON.stringify(values, null, 1)}\n\n${counted(values.length, total, unit)}`, structured: { values, total } };
}

const counted = (given, total, unit) => `${given === total ? '' : `${given} of `}${total} ${unit}${total === 1 ? '' : 's'}`;

export const tools = {
  listTools() {
    return Object.entries(TOOLS).map(([name, tool]) => ({
      name,
      title: tool.title,
      description: tool.description,
      inputSchema: JSON.stringify(tool.input),
      outputSchema: JSON.stringify(tool.output),
      annotations: { title: undefined, readOnly: true, destructive: false, idempotent: true, openWorld: false },
      meta: undefined,
    }));
  },

  callTool(request) {
    if (!Object.hasOwn(TOOLS, request.name)) throw { tag: 'unknown-tool', val: request.name };
    const tool = TOOLS[request.name];
    let answer;
    try {
      answer = tool.run(check(tool.input, parseJson(request.arguments, 'the arguments')));
    } catch (error) {
      // These tools work on their arguments alone: whatever they stumble over is there.
      throw { tag: 'invalid-arguments', val: error.message };
    }
    return {
      tag: 'complete',
      val: {
        content: [{ tag: 'text', val: answer.text }],
        structuredContent: JSON.stringify(answer.structured),
        isError: false,
        meta: undefined,
      },
    };
  },
};
