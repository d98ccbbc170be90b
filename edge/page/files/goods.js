// The goods on the keys: what the page's address names (?goods=code:price:name,code,...), then what was sold
// in this tab. No chain's goods are written down here.

import { $, el, view } from './screen.js';
import { read, say } from './money.js';

const most = 12;
const address = new URLSearchParams(location.search);
let seen = JSON.parse(sessionStorage.getItem('goods')) || [];

function named() {
  return (address.get('goods') || '').split(',').filter(Boolean).map((text) => {
    const [item, price = '', description = ''] = text.split(':');
    return { item, description, unit: 'pc', unit_price: read(price, view.currency) ?? undefined };
  });
}

// cards are those that the address offers to pick.
export const cards = () => (address.get('cards') || '').split(',').filter(Boolean);

const all = () => [...named(), ...seen.filter((s) => !named().some((n) => n.item === s.item))];

// known gives what is known here of a code; with a price it needs no question.
export const known = (item) => seen.find((g) => g.item === item) || all().find((g) => g.item === item);

// learn puts goods on a key.
export function learn({ item, description, unit, unit_price }) {
  if (unit_price === undefined) return;
  seen = [{ item, description, unit, unit_price }, ...seen.filter((g) => g.item !== item)].slice(0, most);
  sessionStorage.setItem('goods', JSON.stringify(seen));
}

export function drawGoods() {
  const list = all().slice(0, most);
  $('goods').replaceChildren(...list.map((g) => el('button', { class: 'goods', 'data-item': g.item },
    el('span', {}, g.description || g.item), el('span', { class: 'amount' }, g.unit_price === undefined ? '' : say(g.unit_price, view.currency)))));
  if (!list.length) $('goods').append(el('p', { class: 'quiet' }, 'What you sell comes here.'));
}
