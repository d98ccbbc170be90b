// The node, asked over HTTP. Every question has a budget: when it is over, the answer is silence.

// Budgets in milliseconds, as the document's x-timeouts has them.
export const budgets = { health: 500, scan: 500, lookup: 350, coupon: 500, quote: 500, hold: 400, receipt: 2000, sale: 1000, basket: 1000 };

// Problem is an answer that is an RFC 9457 problem.
export class Problem extends Error {
  constructor(body) {
    super(body.cashier_text || body.title || 'The node refuses this.');
    Object.assign(this, { body, slug: String(body.type).replace('/problems/', ''), action: body.action });
  }
}

// Silence means that no answer came in time: what was asked may have happened or not.
export class Silence extends Error {
  constructor() {
    super('The node does not answer.');
    this.action = 'retry';
  }
}

let token = sessionStorage.getItem('token') || '';
let onRefused = () => {};

export const signedOn = () => token !== '';

export function signOn(secret) {
  token = secret;
  sessionStorage.setItem('token', secret);
}

// whenRefused has f called when the node does not take the token.
export function whenRefused(f) {
  onRefused = f;
}

function headers(more) {
  const h = { Authorization: 'Bearer ' + token };
  if (more.body !== undefined) h['Content-Type'] = 'application/json';
  if (more.key) h['Idempotency-Key'] = more.key;
  if (more.match) h['If-Match'] = more.match;
  return h;
}

// ask asks, and gives {body, training}. body is an object, or the very bytes to send as a string.
export async function ask(method, path, budget, more = {}) {
  const body = more.body === undefined || typeof more.body === 'string' ? more.body : JSON.stringify(more.body);
  let res, answer;
  try {
    res = await fetch(path, { method, body, headers: headers(more), cache: 'no-store', signal: AbortSignal.timeout(budget) });
    const text = await res.text();
    answer = text ? JSON.parse(text) : null;
  } catch {
    throw new Silence();
  }
  if (!res.ok) {
    const problem = new Problem(answer || {});
    if (problem.slug === 'unauthorised') onRefused(problem);
    throw problem;
  }
  return { body: answer, training: res.headers.get('Tillstream-Training') === 'true' };
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// commit keeps a document under its rid and gives what the node says of it. Only an answer counts: after
// silence it asks what became of the rid, and sends the same bytes again. Null: the node stays silent, the
// document has to wait and follow.
export async function commit(path, rid, bytes, waiting = () => {}) {
  for (const wait of [0, 200, 1000]) {
    if (wait) waiting();
    await pause(wait);
    try {
      return (await ask('POST', path, budgets.receipt, { body: bytes, key: rid })).body;
    } catch (e) {
      if (e.action !== 'retry') throw e;
    }
    try {
      return (await ask('GET', '/v1/receipts/' + rid, budgets.receipt)).body;
    } catch {
      // Not kept, or still silent: the same bytes again decide.
    }
  }
  return null;
}

// stream reads server-sent events until the connection ends, or is dead for 45 seconds; it gives each event
// to f and the id of the last one back. EventSource cannot show a token.
export async function stream(path, last, f) {
  const dead = new AbortController();
  let alarm = setTimeout(() => dead.abort(), 45000);
  try {
    const res = await fetch(path, { headers: { ...headers({}), ...(last && { 'Last-Event-ID': last }) }, signal: dead.signal });
    if (!res.ok) return last;
    let text = '';
    const reader = res.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return last;
      clearTimeout(alarm);
      alarm = setTimeout(() => dead.abort(), 45000);
      const events = (text + value).split('\n\n');
      text = events.pop();
      for (const event of events) {
        const field = (name) => event.split('\n').find((l) => l.startsWith(name + ': '))?.slice(name.length + 2);
        last = field('id') || last;
        if (field('data')) f(JSON.parse(field('data')));
      }
    }
  } catch {
    return last;
  } finally {
    clearTimeout(alarm);
  }
}

export { pause };
