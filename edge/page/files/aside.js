// Baskets put aside, and taken up again.

import { ask, budgets, Problem } from './node.js';
import { basket, body, isEmpty, keep, open, take } from './basket.js';
import { card } from './sale.js';
import { question } from './question.js';
import { clock, draw, note, problem, view } from './screen.js';

export async function aside() {
  problem(null);
  let list;
  try {
    list = (await ask('GET', '/v1/baskets', budgets.basket)).body.baskets.filter((b) => Boolean(b.training) === view.training);
  } catch (e) {
    return problem(e);
  }
  const answers = isEmpty()
    ? list.slice(0, 10).map((b, i) => ({ value: String(i), label: [clock(b.at), b.lines + (b.lines === 1 ? ' line' : ' lines'), b.till && 'till ' + b.till].filter(Boolean).join(', ') }))
    : [{ value: 'put', label: 'Put aside', main: true }, { value: 'drop', label: 'Drop this basket' }];
  const text = isEmpty() ? (list.length ? 'Which one goes on?' : 'Nothing is put aside.') : list.length + ' are put aside already.';
  const a = await question({ title: isEmpty() ? 'Take up a basket' : 'This basket', text, answers });
  if (!a) return;
  if (a.answer === 'put') await put();
  else if (a.answer === 'drop') leave('Dropped.');
  else await takeUp(list[Number(a.answer)]);
}

async function put() {
  if (!basket.lines.length) return note('Without goods there is nothing to put aside.');
  try {
    await ask('PUT', '/v1/baskets/' + basket.rid, budgets.basket, { body: { ...body(view.currency), manager_code: undefined } });
    leave('Put aside for 24 hours.');
  } catch (e) {
    problem(e); // the basket stays on the screen
  }
}

function leave(text) {
  open(view.training);
  view.selected = null;
  draw();
  note(text);
}

// takeUp takes a basket away, so that nobody else goes on with it. It is read first: if the node falls silent
// over taking it away, the basket is still on the screen.
async function takeUp({ rid, etag }) {
  try {
    const read = (await ask('GET', '/v1/baskets/' + rid, budgets.basket)).body;
    await ask('DELETE', '/v1/baskets/' + rid, budgets.basket, { match: etag }).catch((e) => {
      if (e instanceof Problem) throw e;
    });
    take(read);
    view.slip = '';
    draw();
    const who = basket.who;
    if (who) await card(who.value, who.entry);
    keep();
  } catch (e) {
    problem(e);
  }
}
