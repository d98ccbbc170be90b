// The page: its keys, and one thing at a time.

import { ask, budgets, pause, Problem, signOn, signedOn, whenRefused } from './node.js';
import { basket, isEmpty, open } from './basket.js';
import { calculate, coupon, finish, pay, points, card, train } from './sale.js';
import { changeLine, keyGoods, move, removeCoupon, scanned } from './scan.js';
import { isOpen, press, question, scanInto } from './question.js';
import { $, draw, el, focusScan, note, problem, view } from './screen.js';
import { cards, drawGoods } from './goods.js';
import { aside } from './aside.js';
import { back } from './back.js';
import { hear } from './scanner.js';
import { dismiss, listen } from './message.js';
import { sendWaiting, waiting } from './sales.js';
import { watch } from './light.js';

const actions = [
  { key: 'F1', label: 'Card', run: askCard },
  { key: 'F3', label: 'Coupon', run: askCoupon },
  { key: 'F6', label: 'Key goods', run: keyGoods },
  { key: 'F7', label: 'Points', run: points },
  { key: 'F8', label: 'Change line', run: changeLine },
  { key: 'F9', label: 'Aside, take up', run: aside },
  { key: 'F10', label: 'Return, void', run: back },
  { key: 'F2', label: 'Calculate', run: calculate, big: true },
  { key: 'F4', label: 'Pay', run: pay, big: true },
];
const small = [
  { key: 'Shift+F1', label: 'Training', run: train },
  { key: 'Shift+F2', label: 'Sign off', run: signOff },
];

async function askCard() {
  const a = await question({
    title: 'Card', fields: [{ name: 'card', label: 'Card, or phone with + and country', inputmode: 'tel', required: true }],
    answers: [{ value: '', label: 'Look up', main: true }, ...cards().slice(0, 9).map((c) => ({ value: c, label: c }))].map((x) => ({ ...x, value: x.value || 'keyed' })),
  });
  if (a) await card(a.answer === 'keyed' ? a.card.trim() : a.answer, 'keyed');
}

async function askCoupon() {
  const a = await question({ title: 'Coupon', fields: [{ name: 'code', label: 'Coupon\u2019s code', required: true }], answers: [{ value: 'add', label: 'Add', main: true }] });
  if (a?.code.trim()) await coupon(a.code.trim(), 'keyed');
}

// Whatever is done waits for what is being done: a scan during a payment is the next basket's.
let last = Promise.resolve();
let busy = 0;

function enqueue(f) {
  busy++;
  document.body.setAttribute('aria-busy', 'true');
  last = last.then(f).catch(problem).finally(() => {
    if (--busy === 0) document.body.removeAttribute('aria-busy');
    if (!isOpen()) focusScan();
  });
}

// act runs an action unless another is under way: a key that is pressed twice pays once.
function act(run) {
  if (busy === 0) enqueue(run);
}

// scan takes a code in any state: a question that is open says what becomes of it.
function scan(text, entry) {
  if (!scanInto(text)) enqueue(() => scanned(text, entry));
}

function keys() {
  const button = ({ key, label, run, big }) => {
    const b = el('button', { class: big ? 'big' : '', 'aria-keyshortcuts': key, id: 'key-' + key.replace('+', '-') }, label, el('kbd', {}, key));
    b.addEventListener('click', () => act(run));
    return b;
  };
  $('actions').replaceChildren(...actions.map(button));
  $('small-keys').replaceChildren(...small.map(button));
  document.addEventListener('keydown', onKey, true);
  $('scan-form').addEventListener('submit', (e) => {
    e.preventDefault();
    const text = $('scan').value;
    $('scan').value = '';
    if (text.trim()) scan(text, 'scanned');
  });
  $('sale').addEventListener('click', (e) => {
    const line = e.target.closest('[data-line]');
    const c = e.target.closest('[data-coupon]');
    if (line) view.selected = line.dataset.line;
    if (line) act(changeLine);
    if (c) act(() => removeCoupon(Number(c.dataset.coupon)));
  });
  $('goods').addEventListener('click', (e) => {
    const g = e.target.closest('[data-item]');
    if (g) act(() => scanned(g.dataset.item, 'keyed'));
  });
}

function onKey(e) {
  const code = signedOn() && !$('sale').closest('[hidden]') ? hear(e, $('scan')) : null;
  if (code) {
    e.preventDefault();
    e.stopImmediatePropagation();
    $('scan').value = '';
    scan(code, 'scanned');
    return;
  }
  const key = (e.shiftKey && e.key.length > 1 ? 'Shift+' : '') + e.key;
  const action = [...actions, ...small].find((a) => a.key === key);
  if (isOpen()) {
    // A key of the page's that the question does not have is nobody's: the browser's help or menu stays away.
    if (/^F\d+$/.test(key) && (press(key) || action)) e.preventDefault();
    return;
  }
  if (action) {
    e.preventDefault();
    act(action.run);
  } else if (key === 'Escape') {
    $('scan').value = '';
    problem(null);
    dismiss();
    focusScan();
  } else if ((key === 'ArrowUp' || key === 'ArrowDown') && e.target === $('scan')) {
    e.preventDefault();
    move(key === 'ArrowUp' ? -1 : 1);
  }
}

// enter asks for the token until the node takes it. A token for training makes a training till.
async function enter(text = '') {
  while (!signedOn()) {
    const a = await question({
      title: 'Sign on', text, back: '',
      fields: [
        { name: 'token', label: 'Token of this POS (from the node\u2019s pos_tokens_file)', type: 'password', maxlength: '256', required: true },
        { name: 'currency', label: 'Currency', value: view.currency, maxlength: '3', pattern: '[A-Z]{3}', required: true },
      ],
      answers: [{ value: 'on', label: 'Sign on', main: true }],
    });
    if (!a) continue;
    signOn(a.token.trim());
    view.currency = a.currency;
    sessionStorage.setItem('currency', a.currency);
  }
  try {
    const { training } = await ask('GET', '/v1/baskets', budgets.basket);
    view.taught = training;
    if (training) view.training = true;
    if (training && !basket.training) open(true);
  } catch (e) {
    if (e instanceof Problem && e.slug !== 'unauthorised') problem(e);
  }
  document.querySelector('main').hidden = !signedOn();
}

function signOff() {
  if (waiting().length) return note('A receipt waits here: it would be lost.');
  if (!isEmpty()) return note('Finish this basket or put it aside first.');
  sessionStorage.clear();
  location.reload();
}

async function start() {
  const address = new URLSearchParams(location.search);
  view.currency = sessionStorage.getItem('currency') || address.get('currency') || 'EUR';
  view.training = basket.training;
  whenRefused((e) => {
    if (!signedOn()) return; // it is being asked for
    signOn('');
    document.querySelector('main').hidden = true;
    enter(e.body.title + ': the node does not take this token.').then(show);
  });
  keys();
  watch();
  await enter();
  show();
  listen();
  if (basket.paying) enqueue(finish); // the page was closed while it paid
  window.addEventListener('beforeunload', (e) => waiting().length && e.preventDefault());
  for (;;) {
    await pause(5000);
    await sendWaiting().catch(() => {});
  }
}

function show() {
  draw();
  drawGoods();
  if (!isOpen()) focusScan();
}

start();
